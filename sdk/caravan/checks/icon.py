"""Rules about the icon: there, square, small, and without anything that could act."""

import re
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator

from caravan.bundle import Bundle
from caravan.checks.source import Source
from caravan.findings import Finding

MAX_SVG_BYTES = 64 * 1024
MAX_PNG_BYTES = 512 * 1024
PNG_SIDES = range(128, 1025)
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = frozenset(
    """svg g path rect circle ellipse line polyline polygon defs use symbol title desc text tspan
    linearGradient radialGradient stop clipPath mask pattern filter feGaussianBlur feOffset feBlend
    feMerge feMergeNode feFlood feComposite feColorMatrix feDropShadow metadata""".split()
)
DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)|<\?xml-stylesheet", re.IGNORECASE)
# In another encoding a doctype would not look like one.
ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"'](?!utf-8[\"'])", re.IGNORECASE)
OUTSIDE = re.compile(r"url\(\s*[\"']?(?!#)|@import|javascript:|expression\(|\\", re.IGNORECASE)


def check_icon(bundle: Bundle, _source: Source) -> Iterator[Finding]:
    """The icon the manifest names."""
    path = bundle.manifest.app.icon
    data = bundle.icon
    if data is None:
        yield Finding(
            "icon.missing",
            "error",
            f"The icon {path} is not in the bundle.",
            "caravan.toml",
            fix=f"Put a square SVG or PNG at {path}.",
        )
        return
    problems = svg_problems(data) if path.endswith(".svg") else png_problems(data)
    for rule, message, fix in problems:
        yield Finding(rule, "error", message, path, fix=fix)


Problem = tuple[str, str, str]


def svg_problems(data: bytes) -> Iterator[Problem]:
    """What makes an SVG unfit to be an icon: rule, message, fix."""
    plain = "Save it as plain SVG, without doctype, scripts, styles from outside or pictures."
    if len(data) > MAX_SVG_BYTES:
        yield "icon.too-large", "The icon has more than 64 KiB.", "Simplify its paths."
        return
    # Entities could make a small file huge; ET must not see any.
    if DECLARATION.search(data) or ENCODING.search(data) or b"\0" in data:
        yield (
            "icon.unsafe",
            "The icon has a doctype, a style sheet from outside, or is not UTF-8.",
            plain,
        )
        return
    try:
        root = ET.fromstring(data)  # noqa: S314  (without declarations there is nothing to expand)
    except (ET.ParseError, ValueError, LookupError) as error:
        yield "icon.broken", f"The icon is not readable SVG: {error}.", plain
        return
    if root.tag != f"{SVG}svg":
        yield "icon.broken", "The icon does not begin with an <svg> element.", plain
        return
    for element in root.iter():
        if problem := _unsafe(element):
            yield "icon.unsafe", f"The icon has {problem}.", plain
            return
    if not _is_square(root):
        fix = 'Give it a square viewBox such as "0 0 64 64".'
        yield "icon.square", "The icon is not square.", fix


def _unsafe(element: ET.Element) -> str | None:
    tag = str(element.tag)
    name = tag.removeprefix(SVG)
    if not tag.startswith(SVG) or name not in ELEMENTS:
        return f"an element <{name}>"
    for key, value in element.attrib.items():
        local = key.rsplit("}")[-1].lower()
        if local.startswith("on"):
            return f"an event “{local}”"
        if local in {"href", "src"} and not value.startswith("#"):
            return "a link to something outside"
        if OUTSIDE.search(value):
            return f"something from outside in “{local}”"
    return None


def _is_square(root: ET.Element) -> bool:
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    try:
        if len(box) == 4:
            return float(box[2]) == float(box[3]) > 0
        width, height = (float(root.get(side, "").removesuffix("px")) for side in _SIDES)
    except ValueError:
        return False
    return width == height > 0


_SIDES = ("width", "height")


def png_problems(data: bytes) -> Iterator[Problem]:
    """What makes a PNG unfit to be an icon: rule, message, fix."""
    fix = "Save it as a PNG of 128 to 1024 pixels each way."
    if len(data) > MAX_PNG_BYTES:
        yield "icon.too-large", "The icon has more than 512 KiB.", fix
        return
    size = png_size(data)
    if size is None:
        yield "icon.broken", "The icon is not a whole PNG.", fix
    elif size[0] != size[1]:
        yield "icon.square", f"The icon is {size[0]} by {size[1]} pixels, not square.", fix
    elif size[0] not in PNG_SIDES:
        yield "icon.size", f"The icon is {size[0]} pixels wide.", fix


def png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG whose chunks are all whole, else None."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    at, kinds = 8, []
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunk = data[at + 4 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(chunk)):
            return None
        kinds.append(chunk[:4])
        at += 12 + length
    is_whole = at == len(data) and kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"]
    if not is_whole or len(data) < 33 or b"IDAT" not in kinds:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height
