"""What keeps the zygote and its runners in, should WebAssembly ever let an app out.

Each wall answers `up` or says why it is not; nothing is skipped in silence.
`python -m marketplace.sandbox.walls` raises them on itself and prints what stands, as JSON.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from marketplace.sandbox import seccomp

CLONE_NEWUSER, CLONE_NEWIPC, CLONE_NEWNET = 0x10000000, 0x08000000, 0x40000000
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 2, 4, 38
LANDLOCK_CREATE, LANDLOCK_RESTRICT = 444, 446
LANDLOCK_VERSION_FLAG = 1
CAPABILITIES_VERSION_3 = 0x20080522
CAPSET = {"x86_64": 126, "aarch64": 91}
# A user id that belongs to nobody, outside the ranges systems give out.
RUNNER_UID = 61_180 - 1
# WebAssembly may use 2 MiB of the main thread's stack; the rest is Python's and wasmtime's.
STACK_BYTES = 8 * 2**20
# Address space a runner may add to what the zygote has already reserved.
ADDRESS_BYTES = 2**30
UP = "up"


def libc() -> ctypes.CDLL:
    """The C library, keeping errno."""
    return ctypes.CDLL(None, use_errno=True)


def _is_linux() -> bool:
    return sys.platform == "linux"


def around_zygote(empty_dir: Path) -> dict[str, str]:
    """Raise the walls the zygote lives behind; its runners inherit them.

    Must be called while the process has one thread and all its modules are imported: after
    it no file can be opened. Effects: name spaces, root directory, user, privileges.
    """
    if not _is_linux():
        os.chdir(empty_dir)
        names = ("netns", "empty_root", "uid", "capabilities", "no_new_privs", "landlock")
        return dict.fromkeys(names, f"not available on {sys.platform}")
    c = libc()
    parent, last_word = os.getppid(), ctypes.c_int()
    c.prctl(PR_GET_PDEATHSIG, ctypes.byref(last_word), 0, 0, 0)
    up = {"netns": _leave_network(c), "empty_root": _leave_files(empty_dir)}
    up["uid"] = _leave_root()
    up["capabilities"] = _drop_capabilities(c)
    up["no_new_privs"] = _asked(c.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    up["landlock"] = _enter_landlock(c)
    c.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    # With its user a process loses the signal that tells it of its parent's death.
    c.prctl(PR_SET_PDEATHSIG, last_word.value, 0, 0, 0)
    if last_word.value and os.getppid() != parent:
        os.kill(os.getpid(), last_word.value)
    return up


def around_runner(address_bytes: int) -> dict[str, str]:
    """Raise the last walls around one runner, right after the fork.

    Args:
        address_bytes: what `address_meter` tells of the zygote; the runner may add a gigabyte.
    """
    up = {"rlimits": _limit_resources(address_bytes + ADDRESS_BYTES)}
    if not _is_linux():
        return up | {"seccomp": f"not available on {sys.platform}"}
    c = libc()
    # A runner whose zygote is gone has nobody left to end it.
    c.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return up | {"seccomp": seccomp.enter(c)}


def address_meter() -> Callable[[], int]:
    """What tells the address space this process has reserved, also from behind the walls."""
    if not _is_linux():
        return lambda: 0
    status = os.open("/proc/self/statm", os.O_RDONLY)
    page_bytes = resource.getpagesize()
    return lambda: int(os.pread(status, 64, 0).split()[0]) * page_bytes


def told_by_child(raise_walls: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What `raise_walls` answers in a forked process, which ends with it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, json.dumps(raise_walls()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        found = told.read()
    os.waitpid(pid, 0)
    if not found:
        return {"walls": "they could not be raised: the process that tried has ended"}
    answer: dict[str, str] = json.loads(found)
    return answer


def _asked(answer: int) -> str:
    return UP if answer == 0 else f"the kernel refused ({os.strerror(ctypes.get_errno())})"


def _leave_network(c: ctypes.CDLL) -> str:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return _asked(c.unshare(CLONE_NEWNET | CLONE_NEWIPC))
    found = _asked(c.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC))
    if found == UP:
        # Without a map the process would be nobody, also to its own files.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return found


def _leave_files(empty_dir: Path) -> str:
    os.chdir(empty_dir)
    try:
        os.chroot(empty_dir)
    except OSError as error:
        return f"the kernel refused ({error.strerror})"
    os.chdir("/")
    return UP


def _leave_root() -> str:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(RUNNER_UID, RUNNER_UID, RUNNER_UID)
        os.setresuid(RUNNER_UID, RUNNER_UID, RUNNER_UID)
        return UP
    return "not needed: the store was not started as root"


def _drop_capabilities(c: ctypes.CDLL) -> str:
    number = CAPSET.get(os.uname().machine)
    if number is None:
        return f"not known for {os.uname().machine}"
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return _asked(c.syscall(number, header, nothing))


def _enter_landlock(c: ctypes.CDLL) -> str:
    version = c.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION_FLAG)
    if version < 1:
        reason = "is off" if ctypes.get_errno() == errno.EOPNOTSUPP else "is not in this kernel"
        return f"Landlock {reason}"
    # Every right the version knows is handled, and no rule gives any of them back.
    rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    files = (1 << rights) - 1
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = (ctypes.c_uint64 * 3)(files, network, scopes)
    ruleset = c.syscall(LANDLOCK_CREATE, attributes, size, 0)
    if ruleset < 0:
        return _asked(ruleset)
    try:
        return _asked(c.syscall(LANDLOCK_RESTRICT, ruleset, 0))
    finally:
        os.close(ruleset)


def _limit_resources(address_bytes: int) -> str:
    """Limits that do not depend on the job; the job adds RLIMIT_CPU."""
    refused = []
    wanted: dict[str, int] = {"CORE": 0, "FSIZE": 0, "NPROC": 0, "NOFILE": 16, "MEMLOCK": 0}
    if _is_linux():
        wanted["AS"] = address_bytes
    for name, value in wanted.items():
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        except (OSError, ValueError) as error:
            refused.append(f"{name}: {error}")
    return UP if not refused else "; ".join(refused)


def limit_cpu(cpu_ms: int) -> None:
    """End this process when it has computed for `cpu_ms`, to the kernel's tick.

    The profiling timer counts the process's own time in milliseconds and its signal ends it;
    RLIMIT_CPU, in whole seconds, stands behind. Where nothing is left, it ends at once.
    """
    if cpu_ms <= 0:
        signal.raise_signal(signal.SIGPROF)
    used = time.process_time()
    seconds = int(used + cpu_ms / 1000) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    time_cpu(cpu_ms)


def time_cpu(cpu_ms: int) -> None:
    """The same until the next call of either, by the timer alone; 0 sets no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu_ms / 1000)


def features() -> dict[str, str]:
    """Which walls stand on this machine, tried in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "marketplace.sandbox.walls"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        return {"walls": f"they could not be tried: {done.stderr.strip()[-300:]}"}
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _try_all() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        used = address_meter()
        return told_by_child(lambda: around_zygote(Path(folder)) | around_runner(used()))


if __name__ == "__main__":
    json.dump(_try_all(), sys.stdout)
