"""Pictures that developers bring, drawn anew in a process of their own before anybody sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from marketplace.infra.pictures import Broke, TooSlow, Unreadable, read_apart
from marketplace.kernel.errors import Invalid

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
    try:
        width, height, drawn = read_apart(PROGRAM, kind, str(widest), data=data, within_s=LONGEST_S)
    except Unreadable as error:
        raise BadPicture(str(error)) from None
    except TooSlow:
        raise BadPicture("It takes too long to read.") from None
    except Broke:
        raise BadPicture("Reading it broke the reader.") from None
    return Picture(drawn, width, height)
