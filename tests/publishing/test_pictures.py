"""Pictures of strangers: drawn anew, or refused with a sentence."""

import io
import struct
import zlib

import pytest
from PIL import Image

from marketplace.publishing.pictures import BadPicture, redraw


def encoded(kind: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **how: object) -> bytes:
    """A plain picture as a file."""
    out = io.BytesIO()
    Image.new(mode, size, "#b5543a").save(out, kind, **how)
    return out.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose head promises so many pixels, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 4096))
        + chunk(b"IEND", b"")
    )


def animated() -> bytes:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


def test_a_picture_is_made_smaller_and_loses_what_is_no_pixel() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6  # lies on its side
    photo = encoded("JPEG", (1200, 600), exif=exif) + b"<script>alert(1)</script>"
    drawn = redraw(photo, "WEBP", widest=400)
    assert (drawn.width, drawn.height) == (200, 400)
    assert b"taken at home" not in drawn.data
    assert b"script" not in drawn.data
    with Image.open(io.BytesIO(drawn.data)) as again:
        assert (again.format, again.mode, again.size) == ("WEBP", "RGB", (200, 400))


def test_what_can_be_seen_through_stays_so_and_an_animation_becomes_one_picture() -> None:
    with Image.open(io.BytesIO(redraw(encoded("PNG", mode="RGBA"), "PNG", widest=32).data)) as seen:
        assert seen.size == (32, 24)
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    with Image.open(io.BytesIO(redraw(clear.getvalue(), "PNG", widest=32).data)) as seen:
        assert seen.mode == "RGBA"
    with Image.open(io.BytesIO(redraw(animated(), "WEBP", widest=32).data)) as seen:
        assert getattr(seen, "n_frames", 1) == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "cannot be read"),
        (b"GIF89a" + b"\0" * 40, "cannot be read"),
        (encoded("GIF"), "cannot be read"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "cannot be"),
        (encoded("PNG")[:60], "cannot be read"),
        (huge_png(50_000, 4), "50000 by 4 pixels"),
        (huge_png(15_000, 15_000), "40 million pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (20 * 2**20), "more than 16 MiB"),
    ],
    ids=["empty", "no-gif", "gif", "svg", "cut", "wide", "bomb", "20-mb"],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(BadPicture, match=says):
        redraw(data, "WEBP", widest=1600)
