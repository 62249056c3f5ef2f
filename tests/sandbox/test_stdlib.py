"""The standard library inside the sandbox: what works, and what says that it does not."""

import json
import threading

import pytest

from marketplace.sandbox import builder
from marketplace.sandbox.ports import OutcomeKind
from tests.factories.sandbox import Host, make_job, shared_runners

TABLE = (builder.SDK / "runtime" / "caravan_runtime" / "stdlib.py").read_text()

# Source of an expression → what it is worth.
WORKS = {
    "__import__('json').loads('[1]')": [1],
    "__import__('re').sub('(?P<a>x+)', r'<\\g<a>>', 'axxb')": "a<xx>b",
    "__import__('textwrap').fill('a b c d', 3)": "a b\nc d",
    "__import__('math').sqrt(2) > 1.41": True,
    "str(__import__('decimal').Decimal(1) / 3)[:6]": "0.3333",
    "str(__import__('fractions').Fraction(3, 6))": "1/2",
    "__import__('statistics').median([1, 5, 9])": 5,
    "__import__('hashlib').sha256(b'').hexdigest()[:8]": "e3b0c442",
    "__import__('zlib').decompress(__import__('zlib').compress(b'a')).decode()": "a",
    "__import__('base64').b64encode(b'hi').decode()": "aGk=",
    "__import__('csv').writer(__import__('io').StringIO()).writerow([1, 2])": 5,
    "__import__('html').escape('<a>')": "&lt;a&gt;",
    "__import__('unicodedata').normalize('NFD', 'é') == 'e\\u0301'": True,
    "'bücher'.encode('idna').decode()": "xn--bcher-kva",
    "'ä'.encode('latin-1').decode('cp1252')": "ä",
    "__import__('string').Template('$a').substitute(a=1)": "1",
    "__import__('datetime').datetime.strptime('2026-02-01', '%Y-%m-%d').day": 1,
    "repr(__import__('datetime').date(2026, 1, 2))": "datetime.date(2026, 1, 2)",
    "__import__('calendar').monthrange(2026, 2)": [6, 28],
    "__import__('urllib.parse').parse.quote('a b')": "a%20b",
    "__import__('sqlite3').connect(':memory:').execute('select 1 + 1').fetchone()": [2],
    "__import__('tomllib').loads('a = 1')": {"a": 1},
    "__import__('xml.etree.ElementTree').etree.ElementTree.fromstring('<a/>').tag": "a",
    "__import__('ast').literal_eval('[1]')": [1],
    "__import__('os').path.join('a', 'b')": "a/b",
    "__import__('os').path.exists('/etc/passwd')": False,
    "dict(__import__('os').environ)": {},
    "__import__('sys').path": [],
    "__import__('locale').getlocale()[1]": "UTF-8",
    "__import__('timeit').timeit('1', number=3) >= 0": True,
    "__import__('time').localtime(0).tm_year": 1970,
    "__import__('tempfile').SpooledTemporaryFile(99).write(b'ab')": 2,
    "type(__import__('logging').getLogger('a')).__name__": "Logger",
    "__import__('asyncio').run(__import__('asyncio').sleep(0.001, 'slept'))": "slept",
    "__import__('threading').Lock().acquire()": True,
}
# Source of an expression → the ordinary exception an app can catch.
REFUSES = {
    "open('/etc/passwd')": "FileNotFoundError",
    "open('note.txt', 'w')": "PermissionError",
    "__import__('pathlib').Path('a').write_text('b')": "PermissionError",
    "__import__('os').listdir('/')": "PermissionError",
    "__import__('os').remove('a')": "PermissionError",
    "__import__('os').system": "AttributeError",
    "__import__('os')._exit(1)": "PermissionError",
    "__import__('os').abort()": "PermissionError",
    "__import__('os').fork": "AttributeError",
    "__import__('tempfile').mkdtemp()": "FileNotFoundError",
    "__import__('io').FileIO(1)": "PermissionError",
    "__import__('socket').socket()": "PermissionError",
    "__import__('socket').create_connection(('example.org', 80))": "PermissionError",
    "__import__('socket').getaddrinfo('example.org', 80)": "PermissionError",
    "__import__('select').select([], [], [], 1)": "PermissionError",
    "__import__('threading').Thread(target=print).start()": "PermissionError",
    "__import__('subprocess').run(['ls'])": "OSError",
    "__import__('sqlite3').connect('file.db')": "PermissionError",
    "__import__('queue').Queue().get()": "RuntimeError",
    "__import__('zoneinfo').ZoneInfo('Europe/Paris')": "ZoneInfoNotFoundError",
    "__import__('ctypes')": "ModuleNotFoundError",
    "__import__('ssl')": "ModuleNotFoundError",
    "__import__('no_such_module')": "ModuleNotFoundError",
    "compile('a b', 'app.py', 'exec')": "SyntaxError",
    "input()": "EOFError",
    "__import__('sys').exit(1)": "SystemExit",
    "'[' * 10 and __import__('asyncio').run(__import__('asyncio').Event().wait())": "RuntimeError",
}


def evaluated(expressions: list[str]) -> list[list[object]]:
    """What each is worth inside one run: its value, or the name of its exception."""
    body = f"""
import json
def worth(source):
    try:
        return ["value", eval(source)]
    except BaseException as error:
        return ["raised", type(error).__name__]
yield json.dumps([worth(source) for source in json.loads({json.dumps(json.dumps(expressions))})])
"""
    host = Host()
    outcome = shared_runners().run(make_job(body), host, threading.Event())
    assert outcome.kind is OutcomeKind.FINISHED, outcome.error
    found: list[list[object]] = json.loads(host.texts[0])
    return found


@pytest.fixture(scope="module")
def values() -> dict[str, object]:
    return dict(zip(WORKS, evaluated(list(WORKS)), strict=True))


@pytest.fixture(scope="module")
def refusals() -> dict[str, object]:
    return dict(zip(REFUSES, evaluated(list(REFUSES)), strict=True))


@pytest.mark.parametrize("source", WORKS)
def test_it_works(values: dict[str, object], source: str) -> None:
    assert values[source] == ["value", WORKS[source]]


@pytest.mark.parametrize("source", REFUSES)
def test_it_is_an_ordinary_exception(refusals: dict[str, object], source: str) -> None:
    assert refusals[source] == ["raised", REFUSES[source]]


def test_every_module_of_the_table_can_be_imported_by_an_app() -> None:
    table: dict[str, object] = {}
    exec(compile(TABLE.split("def load")[0], "stdlib.py", "exec"), {"__name__": "table"}, table)
    modules = [*table["MODULES"], *table["PACKAGES"]]  # type: ignore[misc]
    found = evaluated([f"bool(__import__({name!r}))" for name in modules])
    assert [name for name, each in zip(modules, found, strict=True) if each[0] != "value"] == []
