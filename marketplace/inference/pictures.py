"""Picture files as people send them, turned into plain pixels; what is no picture is refused."""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image

from marketplace.inference.ports import BadGeneration

type_pixels = npt.NDArray[np.uint8]

FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 40_000_000  # a camera's; a small file may claim many more
LONGEST_SIDE = 1536  # pixels; models look at less, and what waits should take little memory


def pixels(file: bytes) -> type_pixels:
    """A picture's rows of red, green and blue, made smaller where it is large.

    Raises: BadGeneration when it is no PNG or JPEG file, is broken, or is too large.
    """
    try:
        # Pillow warns of large pictures before it refuses them; our own bound comes first.
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(io.BytesIO(file), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadGeneration(
            "A picture is not a whole PNG or JPEG file. Send it again in one of these formats.",
            rule="llm.images",
        ) from error
    with picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise _too_large()
        try:
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return np.asarray(picture.convert("RGB"))
        # What its decoders raise for a broken file is not one family of errors.
        except (OSError, ValueError, SyntaxError, IndexError, MemoryError) as error:
            raise BadGeneration(
                f"A picture cannot be read ({error}). It may be cut short: send it again.",
                rule="llm.images",
            ) from error


def _too_large() -> BadGeneration:
    return BadGeneration(
        f"A picture has more than {MOST_PIXELS:,} pixels. Make it smaller.", rule="llm.images"
    )
