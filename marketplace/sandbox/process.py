"""The zygote: loads the runtime once behind its walls, and forks a runner for every run.

`python -m marketplace.sandbox.process --socket PATH --cache-dir PATH --max-runners N`
"""

import argparse
import gc
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from marketplace.sandbox import builder, runner, walls
from marketplace.sandbox.hothouse import Hothouse, Seed
from marketplace.sandbox.hotness import Room
from marketplace.sandbox.nursery import Nursery
from marketplace.sandbox.peers import Runner
from marketplace.sandbox.pool import Pool
from marketplace.sandbox.runtime import Runtime

# All the zygote is told of the world. Secrets of the store live in the environment.
KEPT = ("LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR")


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    asked = _parser().parse_args(arguments)
    _scrub_environment()
    _close_inherited()
    compiled = _build(asked.cache_dir)
    empty = asked.cache_dir / "empty"
    empty.mkdir(mode=0o755, exist_ok=True)
    listener = _listen(asked.socket)
    nursery = Nursery(compiled)
    address_bytes = walls.address_meter()
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    up = walls.around_zygote(empty)
    up |= walls.told_by_child(lambda: walls.around_runner(address_bytes()))
    # What exists now is shared with every runner; the collector must not copy it page by page.
    gc.collect()
    gc.freeze()

    pool = Pool(
        listener,
        lambda is_urgent, seed: _fork(nursery.runtimes, address_bytes(), seed, is_urgent=is_urgent),
        nursery,
        Hothouse(Room(asked.max_prepared, asked.prepared_memory_bytes)),
        max_runners=asked.max_runners,
        max_waiting=asked.max_waiting,
        max_asking=asked.max_asking,
        about={"runtime": compiled.stem, "walls": up},
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: pool.end())
    print("The runners are ready.", file=sys.stderr, flush=True)  # noqa: T201
    pool.run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="marketplace.sandbox.process", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where the store connects")
    parser.add_argument("--cache-dir", type=Path, required=True, help="holds the built runtime")
    parser.add_argument("--max-runners", type=int, default=8, help="runs at the same time")
    parser.add_argument("--max-waiting", type=int, default=200, help="runs that may wait")
    parser.add_argument("--max-asking", type=int, default=32, help="runs that may wait for people")
    parser.add_argument("--max-prepared", type=int, default=4, help="instances prepared ahead")
    parser.add_argument(
        "--prepared-memory-bytes", type=int, default=128 * 2**20, help="memory they may hold"
    )
    return parser


def _scrub_environment() -> None:
    """Start over without the environment: a process can read the one it was started with."""
    clean = {name: os.environ[name] for name in KEPT if name in os.environ}
    if os.environ.keys() - clean.keys() - {"LC_CTYPE"}:
        os.execve(sys.executable, sys.orig_argv, clean)  # noqa: S606


def _close_inherited() -> None:
    """Descriptors of the process that started this one are not for apps."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _build(cache_dir: Path) -> Path:
    """The compiled runtime, made by a process of its own: this one must keep to one thread."""
    asked = [sys.executable, "-m", builder.MODULE, str(cache_dir)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit("The runners cannot start, because their Python runtime could not be built.")
    return Path(done.stdout.strip())


def _listen(path: Path) -> socket.socket:
    """A socket only this user can connect to, in place of one an earlier process left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def _fork(
    runtimes: Mapping[str, Runtime], address_bytes: int, seed: Seed | None, *, is_urgent: bool
) -> Runner:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            prepare = runner.Prepare(seed, seed.read()) if seed else None
            # The listener, other runners' inboxes and the store's connections stay outside.
            os.dup2(theirs.detach(), 3)
            os.closerange(4, os.sysconf("SC_OPEN_MAX"))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            inbox = socket.socket(fileno=3)
            runner.serve(inbox, runtimes, address_bytes, prepare, is_urgent=is_urgent)
        finally:
            # An error here must not unwind into the zygote's own loop.
            os._exit(runner.BROKEN)
    theirs.close()
    return Runner(pid, ours, frozenset(runtimes), seed.release if seed else "")


if __name__ == "__main__":
    main()
