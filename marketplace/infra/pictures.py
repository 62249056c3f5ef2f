"""Hands a stranger's picture to a program of its own, which reads it under limits and ends."""

import subprocess
import sys
from pathlib import Path

REFUSED = 3  # the program's status when it says on its standard error what is wrong


class Unreadable(Exception):
    """The program refused the picture; the message is its sentence."""


class TooSlow(Exception):
    """The program did not end in time."""


class Broke(Exception):
    """The program ended as no program should."""


def read_apart(
    program: Path, *options: str, data: bytes, within_s: float
) -> tuple[int, int, bytes]:
    """Width, height and what the program made of the picture.

    Raises: Unreadable, TooSlow, Broke.
    """
    # -I: nothing of the caller's environment or folder decides what is imported.
    command = [sys.executable, "-I", str(program), *options]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=within_s, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        raise TooSlow from None
    if done.returncode == REFUSED:
        raise Unreadable(done.stderr.decode())
    if done.returncode != 0:
        raise Broke
    size, _line, made = done.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return width, height, made
