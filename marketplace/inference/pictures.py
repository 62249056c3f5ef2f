"""Picture files as people send them, turned into plain pixels in a process of their own."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from marketplace.inference.ports import BadGeneration
from marketplace.infra.pictures import Broke, TooSlow, Unreadable, read_apart

type_pixels = npt.NDArray[np.uint8]

PROGRAM = Path(__file__).with_name("pictures_process.py")
LONGEST_SIDE = 1536  # pixels; models look at less, and what waits should take little memory
LONGEST_S = 20


def pixels(file: bytes) -> type_pixels:
    """A picture's rows of red, green and blue, made smaller where it is large.

    Raises: BadGeneration when it is no PNG or JPEG file, is broken, or is too large.
    """
    try:
        width, height, plain = read_apart(PROGRAM, str(LONGEST_SIDE), data=file, within_s=LONGEST_S)
    except Unreadable as error:
        raise _refused(str(error)) from None
    except TooSlow:
        raise _refused("A picture takes too long to read. Send a smaller one.") from None
    except Broke:
        raise _refused("A picture broke its reader. Save it anew and send it again.") from None
    return np.frombuffer(plain, dtype=np.uint8).reshape(height, width, 3)


def _refused(message: str) -> BadGeneration:
    return BadGeneration(message, rule="llm.images")
