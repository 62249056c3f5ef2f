"""Pictures that developers bring, drawn anew in a process of their own before anybody sees them."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from marketplace.kernel.errors import Invalid
from marketplace.publishing.pictures_process import REFUSED

PROGRAM = Path(__file__).with_name("pictures_process.py")
LONGEST_S = 60


class BadPicture(Invalid):
    """A file is no picture that the store can show."""


@dataclass(frozen=True)
class Picture:
    """A picture as the store shows it. `width` and `height` are in pixels."""

    data: bytes
    width: int
    height: int


def redraw(data: bytes, kind: Literal["PNG", "WEBP"], *, widest: int) -> Picture:
    """The same picture in a file that we wrote: nothing of the stranger's bytes is left.

    Raises: BadPicture, with what is wrong in one sentence.
    """
    # -I: nothing of the caller's environment or folder decides what is imported.
    command = [sys.executable, "-I", str(PROGRAM), kind, str(widest)]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=LONGEST_S, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        raise BadPicture("It takes too long to read.") from None
    if done.returncode == REFUSED:
        raise BadPicture(done.stderr.decode())
    if done.returncode != 0:
        raise BadPicture("Reading it broke the reader.")
    size, _line, drawn = done.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return Picture(drawn, width, height)
