"""The modules of the standard library that the store's Python has, by top-level name."""

AVAILABLE = frozenset(
    """
    __future__ abc annotationlib argparse array ast asyncio atexit base64 binascii bisect builtins
    calendar cmath cmd code codecs codeop collections colorsys concurrent configparser contextlib
    contextvars copy copyreg csv dataclasses datetime decimal difflib dis doctest email encodings
    enum errno faulthandler filecmp fileinput fnmatch fractions functools gc getopt gettext glob
    graphlib gzip hashlib heapq hmac html http importlib inspect io ipaddress itertools json
    keyword linecache locale logging marshal math mimetypes numbers opcode operator optparse os
    pathlib pickle pickletools pkgutil platform plistlib posixpath pprint py_compile pyclbr queue
    quopri random re reprlib runpy sched secrets select selectors shelve shlex shutil signal socket
    sqlite3 stat statistics string stringprep struct subprocess symtable sys tabnanny tarfile
    tempfile textwrap threading time timeit token tokenize tomllib traceback tracemalloc types
    typing unicodedata unittest urllib uuid warnings wave weakref xml zipfile zipimport zlib
    zoneinfo
    """.split()
)
# They import, but what they are for is refused or impossible inside the sandbox.
USELESS = {
    "socket": "Apps have no network; ask the store through ctx.",
    "subprocess": "Apps cannot start programs.",
    "threading": "Apps have one thread.",
    "tempfile": "Apps cannot write files; keep values with ctx.kv.",
    "shelve": "Apps cannot write files; keep values with ctx.kv.",
    "select": "Apps have no network.",
    "selectors": "Apps have no network.",
    "signal": "Apps have no signals.",
}
