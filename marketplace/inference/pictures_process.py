"""A process that turns one picture file into plain pixels, under limits, and ends.

It reads a stranger's file on its standard input and writes red, green and blue of every pixel on
its standard output. What a decoder's fault may do, it does in here, not in the engine.
"""

import io
import os
import resource
import sys
from typing import NoReturn

from PIL import Image, ImageOps

REFUSED = 3
FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 40_000_000  # a camera's; a small file may claim many more
LIMITS = (("CPU", 10), ("DATA", 768 * 2**20), ("FSIZE", 0), ("NOFILE", 16), ("CORE", 0))


def main(longest: int) -> None:
    """Write width, height and pixels of what comes in, at most `longest` pixels each way."""
    for name, value in LIMITS:
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    Image.MAX_IMAGE_PIXELS = None  # our own bound is told below, in words
    try:
        with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                _refuse(f"A picture has more than {MOST_PIXELS:,} pixels. Make it smaller.")
            opened.draft("RGB", (longest, longest))
            opened.thumbnail((longest, longest))
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except MemoryError:
        _refuse("A picture needs more memory than one may. Make it smaller.")
    except Exception:  # noqa: BLE001  (decoders raise nearly anything over a broken file)
        _refuse("A picture is not a whole PNG or JPEG file. Send it again in one of these formats.")
    out = sys.stdout.buffer
    out.write(f"{picture.width} {picture.height}\n".encode())
    out.write(picture.tobytes())
    out.flush()
    os._exit(0)


def _refuse(message: str) -> NoReturn:
    os.write(2, message.encode())
    os._exit(REFUSED)


if __name__ == "__main__":
    main(int(sys.argv[1]))
