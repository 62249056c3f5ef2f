"""Where an app broke, without a word it said: what its developer may read of others' runs. Pure."""

import re
from collections.abc import Mapping

FRAME = re.compile(r'^ *File "([^"\n]{1,200})", line (\d{1,6})\b', re.MULTILINE)
MOST_FRAMES = 20


def of(traceback: str, files: Mapping[str, bytes]) -> str:
    """The lines of the release that a traceback passes through, the innermost last.

    The traceback is the app's own text, which may say anything, so only places that there are
    in `files` are taken over.
    """
    places = [(path, int(line)) for path, line in FRAME.findall(traceback)]
    real = [(path, line) for path, line in places if line <= _lines(files.get(path, b""))]
    return "\n".join(f'File "{path}", line {line}' for path, line in real[-MOST_FRAMES:])


def _lines(source: bytes) -> int:
    return len(source.splitlines())
