"""Makes the parts of Python that want an operating system behave, or raise an ordinary error."""

# ruff: noqa: SLF001  (the standard library is changed from inside)

import _thread
import builtins
import io
import linecache
import os
import posix
import queue
import random
import select
import socket
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any, NoReturn

from caravan_runtime import bridge, finder, loop

# What the sandbox's `posix` still does: it needs no system.
HARMLESS = frozenset(
    {"cpu_count", "fspath", "getcwd", "getcwdb", "getpid", "putenv", "strerror", "unsetenv"}
)
NANOSECONDS = 1_000_000_000


class LogText(io.TextIOBase):
    """A text stream whose lines go to the developer's log."""

    def __init__(self, level: str) -> None:
        self.level = level
        self.pending = ""

    def writable(self) -> bool:
        """Always: it is a place to write."""
        return True

    def write(self, text: str, /) -> int:
        """Keep `text`, and send the lines that are whole."""
        *lines, self.pending = (self.pending + text).split("\n")
        for line in lines:
            bridge.call("log.write", {"level": self.level, "text": line})
        return len(text)

    def flush_line(self) -> None:
        """Send what is left without a line break, at the end of the run."""
        if self.pending:
            self.write("\n")


class Lock:
    """A lock for the one thread there is: to wait for it would be to wait for ever."""

    def __init__(self) -> None:
        self.held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        """Take the lock, or say at once that it is held."""
        if self.held and blocking and timeout < 0:
            raise RuntimeError("deadlock: an app has one thread, and it holds this lock")
        if self.held and blocking:
            sleep(timeout)
        taken = not self.held
        self.held = True
        return taken

    def release(self) -> None:
        """Give the lock back."""
        if not self.held:
            raise RuntimeError("release unlocked lock")
        self.held = False

    def locked(self) -> bool:
        """Whether it is held."""
        return self.held

    __enter__ = acquire

    def __exit__(self, *_raised: object) -> None:
        self.release()


def now_ns() -> int:
    """Nanoseconds since the epoch by the run's clock."""
    return int(bridge.call("clock.now", {}))


def now() -> float:
    """Seconds since the epoch by the run's clock."""
    return now_ns() / NANOSECONDS


class Began:
    """When this run began: clocks that only measure count from here, so that floats are exact."""

    ns = 0


def elapsed_ns() -> int:
    """Nanoseconds since the run began."""
    return now_ns() - Began.ns


def elapsed() -> float:
    """Seconds since the run began."""
    return elapsed_ns() / NANOSECONDS


def clock_gettime(clock: int) -> float:
    """Every clock is the run's clock."""
    return now()


def clock_gettime_ns(clock: int) -> int:
    """Every clock is the run's clock."""
    return now_ns()


def sleep(seconds: float) -> None:
    """Wait, at most to the run's time limit."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    bridge.call("clock.sleep", {"ms": int(seconds * 1000)})


def urandom(count: int, /) -> bytes:
    """Bytes that follow from the run's seed."""
    return bytes.fromhex(bridge.call("random.bytes", {"count": count}))


def get_clock_info(name: str) -> types.SimpleNamespace:
    """Every clock counts milliseconds."""
    return types.SimpleNamespace(
        implementation="run", monotonic=True, adjustable=False, resolution=0.001
    )


def refuse_event(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: the C code that opens files asks it first, also to show a wrong line."""
    if event == "open" or (event == "sqlite3.connect" and args[0] != ":memory:"):
        raise PermissionError(1, "An app can only read the files of its own release", str(args[0]))


def refusal(name: str) -> Callable[..., NoReturn]:
    """A function that stands for `name` and says that apps cannot do this."""

    def refuse(*_args: object, **_named: object) -> NoReturn:
        raise PermissionError(1, f"An app in the sandbox has no {name}")

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


class NoSocket:
    """Stands for `socket.socket`: apps have no network of their own."""

    __init__ = refusal("network")


def at_present(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `time` whose missing instant is the run's clock, in UTC."""

    def converted(seconds: float | None = None) -> Any:
        return function(now() if seconds is None else seconds)

    return converted


def strftime(form: str, instant: Any = None, _real: Callable[..., str] = time.strftime) -> str:
    """`time.strftime` by the run's clock."""
    return _real(form, time.gmtime() if instant is None else instant)


def asctime(instant: Any = None, _real: Callable[..., str] = time.asctime) -> str:
    """`time.asctime` by the run's clock."""
    return _real(time.gmtime() if instant is None else instant)


def seed_self(
    self: random.Random, a: Any = None, version: int = 2, _real: Any = random.Random.seed
) -> None:
    """`Random.seed`, from the run's seed where none is given."""
    _real(self, int.from_bytes(urandom(32)) if a is None else a, version)


def replacements() -> dict[Any, Any]:
    """The functions to exchange wherever a module holds them: the old → the new."""
    exchanged: dict[Any, Any] = {
        io.open: finder.open_file,
        io.open_code: lambda path: finder.open_file(path, "rb"),
        io.FileIO: refusal("file descriptors"),
        os.urandom: urandom,
        time.get_clock_info: get_clock_info,
        time.sleep: sleep,
        time.strftime: strftime,
        time.asctime: asctime,
        time.ctime: at_present(time.ctime),
        time.gmtime: at_present(time.gmtime),
        time.localtime: at_present(time.gmtime),
        _thread.start_new_thread: refusal("threads"),
        _thread.start_joinable_thread: refusal("threads"),
        _thread.allocate_lock: Lock,
        _thread.lock: Lock,
        queue.SimpleQueue: queue._PySimpleQueue,  # type: ignore[attr-defined]
        socket.socket: NoSocket,
    }
    exchanged |= {time.time: now, time.time_ns: now_ns}
    for clock in ("monotonic", "perf_counter", "process_time", "thread_time"):
        for name, new in ((clock, elapsed), (f"{clock}_ns", elapsed_ns)):
            if hasattr(time, name):
                exchanged[getattr(time, name)] = new
    for name, new in (("clock_gettime", clock_gettime), ("clock_gettime_ns", clock_gettime_ns)):
        if hasattr(time, name):
            exchanged[getattr(time, name)] = new
    for name, old in vars(posix).items():
        if isinstance(old, types.BuiltinFunctionType) and not name.startswith("_path"):
            exchanged.setdefault(old, old if name in HARMLESS else refusal(f"os.{name}"))
    for module in (select, socket._socket):  # type: ignore[attr-defined]
        for name, old in vars(module).items():
            if isinstance(old, types.BuiltinFunctionType):
                exchanged.setdefault(old, refusal(f"{module.__name__.strip('_')}.{name}"))
    # Their C code needs no system.
    for name in ("htons", "htonl", "ntohs", "ntohl", "inet_aton", "inet_ntoa"):
        exchanged.pop(getattr(socket, name, None), None)
    return exchanged


def exchange() -> None:
    """Put the replacements in place of the originals wherever a module holds them."""
    exchanged = replacements()
    # By identity, because not everything in a module can be hashed; `exchanged` keeps the
    # originals alive, so that no new object can take the place of an old one.
    table = {id(old): new for old, new in exchanged.items()}
    for module in list(sys.modules.values()):
        if module is None or module.__name__.startswith("caravan_runtime"):
            continue
        for value in list(vars(module).values()):
            if isinstance(value, type):
                exchange_in(value, table)
            elif isinstance(value, types.FunctionType):
                exchange_defaults(value, table)
        exchange_in(module, table)
    random.Random.seed = seed_self  # type: ignore[method-assign]


def exchange_in(owner: types.ModuleType | type, table: dict[int, Any]) -> None:
    """Exchange the attributes of a module or class, and the defaults of its functions."""
    for name, value in list(vars(owner).items()):
        if id(value) in table:
            try:
                setattr(owner, name, table[id(value)])
            except TypeError:
                # A type of the C code cannot be changed; its functions are found elsewhere.
                continue
        elif isinstance(value, types.FunctionType):
            exchange_defaults(value, table)


def exchange_defaults(function: types.FunctionType, table: dict[int, Any]) -> None:
    """Exchange what a function holds as the default of an argument, such as its timer."""
    if function.__defaults__:
        function.__defaults__ = tuple(table.get(id(each), each) for each in function.__defaults__)


def install() -> None:
    """Leave this interpreter as the snapshot shall hold it. Called once, at build time."""
    exchange()
    loop.install()
    sys.addaudithook(refuse_event)
    sys.path.clear()
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    sys.argv = [""]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, finder.ReleaseFinder()]
    sys.stdin = sys.__stdin__ = io.StringIO()  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = LogText("info")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = LogText("warning")  # type: ignore[misc]
    builtins.open = finder.open_file  # type: ignore[assignment]
    linecache.clearcache()
    threading.excepthook = lambda _: None
    for name in ("_UuidCreate", "_generate_time_safe"):
        setattr(uuid, name, None)


def begin(seed: int) -> None:
    """Start one run: everything that is random now follows from `seed`."""
    Began.ns = now_ns()
    random.seed(seed)
    uuid._node = random.getrandbits(48) | 1 << 40  # type: ignore[attr-defined]


def drawn() -> tuple[Any, ...]:
    """How far the run's randomness has been drawn from; whoever asks for the node id draws."""
    uuid._node = None  # type: ignore[attr-defined]
    return random.getstate()


def finish() -> None:
    """End one run: lines without a line break are sent as well."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogText):
            stream.flush_line()
