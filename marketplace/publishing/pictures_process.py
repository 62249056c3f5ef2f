"""A process that draws one picture anew, under limits, and ends.

It reads a stranger's file on its standard input and writes the new one on its standard output.
What a decoder's fault may do, it does in here: without the store's memory, files or secrets.
"""

import io
import os
import resource
import sys
from typing import NoReturn

from PIL import Image, ImageOps

REFUSED = 3
MOST_BYTES = 16 * 2**20
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 16_000
KINDS = ("PNG", "JPEG", "WEBP")
LIMITS = (("CPU", 20), ("DATA", 768 * 2**20), ("FSIZE", 0), ("NOFILE", 16), ("CORE", 0))


def main(kind: str, widest: int) -> None:
    """Draw what comes in as `kind`, at most `widest` pixels each way.

    Of an animation only the first picture is kept; what cameras write beside pixels is not.
    """
    for name, value in LIMITS:
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    Image.MAX_IMAGE_PIXELS = None  # our own bound is told below, in words
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        _refuse("It has more than 16 MiB.")
    try:
        with Image.open(io.BytesIO(data), formats=KINDS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
                _refuse(f"It is {width} by {height} pixels; 40 million pixels are the most.")
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except MemoryError:
        _refuse("It needs more memory than a picture may.")
    except Exception as error:  # noqa: BLE001  (decoders raise nearly anything over a broken file)
        _refuse(f"It cannot be read as PNG, JPEG or WebP ({type(error).__name__}).")
    picture.thumbnail((widest, widest))
    if picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    drawn = io.BytesIO()
    picture.save(drawn, kind, quality=84)
    out = sys.stdout.buffer
    out.write(f"{picture.width} {picture.height}\n".encode())
    out.write(drawn.getvalue())
    out.flush()
    os._exit(0)


def _refuse(message: str) -> NoReturn:
    os.write(2, message.encode())
    os._exit(REFUSED)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
