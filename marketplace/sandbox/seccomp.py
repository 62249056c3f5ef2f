"""The system calls of a runner: a short list may pass, everything else fails with EPERM."""

import ctypes
import platform
import struct
from collections.abc import Mapping

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
FAIL = 0x00050000 | 1  # an error return, EPERM
KILL = 0x80000000
PROT_EXEC = 4
# Offsets in struct seccomp_data: the call's number, the architecture, the third argument.
NUMBER, ARCHITECTURE, THIRD_ARGUMENT = 0, 4, 32
# On x86-64 these are calls of the x32 dialect, whose numbers mean something else.
X32_CALLS = 0x40000000

# Reading and writing what is open, memory, clocks, signals to oneself, the end.
NUMBERS: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0, "write": 1, "close": 3, "poll": 7, "munmap": 11, "brk": 12,
            "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24,
            "mremap": 25, "madvise": 28, "nanosleep": 35, "setitimer": 38, "getpid": 39,
            "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "shutdown": 48,
            "exit": 60, "gettimeofday": 96, "getrusage": 98, "sigaltstack": 131, "gettid": 186,
            "time": 201, "futex": 202, "restart_syscall": 219, "clock_gettime": 228,
            "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234, "ppoll": 271,
            "prlimit64": 302, "getrandom": 318, "membarrier": 324, "rseq": 334,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "close": 57, "read": 63, "write": 64, "ppoll": 73, "exit": 93, "exit_group": 94,
            "futex": 98, "nanosleep": 101, "setitimer": 103, "clock_gettime": 113,
            "clock_nanosleep": 115, "sched_yield": 124, "restart_syscall": 128, "tgkill": 131,
            "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
            "getrusage": 165, "gettimeofday": 169, "getpid": 172, "gettid": 178, "sendto": 206,
            "recvfrom": 207, "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "brk": 214,
            "munmap": 215, "mremap": 216, "madvise": 233, "prlimit64": 261, "getrandom": 278,
            "membarrier": 283, "rseq": 293,
        },
    ),
}  # fmt: skip
# They may pass without the right to execute: all the code there is was loaded before.
MEMORY_CALLS: Mapping[str, tuple[int, int]] = {"x86_64": (9, 10), "aarch64": (222, 226)}


def program(machine: str) -> bytes:
    """The filter as BPF instructions for `machine`. Raises: KeyError for one without a table."""
    architecture, calls = NUMBERS[machine]
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06

    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, value)

    steps = [
        step(load, ARCHITECTURE),
        step(equal, architecture, 1, 0),
        step(answer, KILL),
        step(load, NUMBER),
        step(at_least, X32_CALLS, 0, 1),
        step(answer, FAIL),
    ]
    for number in sorted(calls.values()):
        steps += [step(equal, number, 0, 1), step(answer, ALLOW)]
    for number in MEMORY_CALLS[machine]:
        steps += [
            step(equal, number, 0, 4),
            step(load, THIRD_ARGUMENT),
            step(any_bit, PROT_EXEC, 0, 1),
            step(answer, FAIL),
            step(answer, ALLOW),
        ]
    return b"".join([*steps, step(answer, FAIL)])


def enter(libc: ctypes.CDLL) -> str:
    """Put the filter on this process for good; `up`, or why it is not."""
    machine = platform.machine()
    if machine not in NUMBERS:
        return f"there is no list of system calls for {machine}"
    code = program(machine)
    instructions = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    filled = Program(len(code) // 8, ctypes.addressof(instructions))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filled), 0, 0) != 0:
        return f"the kernel refused the filter (error {ctypes.get_errno()})"
    return "up"
