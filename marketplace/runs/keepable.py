"""What no file and no database can keep: NUL, and halves of characters that stand alone. Pure."""

import re
from typing import Any

UNKEEPABLE = re.compile("[\0\ud800-\udfff]")


def mended(value: Any) -> Any:
    """A JSON value with U+FFFD in place of each character that cannot be kept.

    PostgreSQL refuses NUL in texts and JSON, and UTF-8 has no lone surrogates; what an app
    sends may hold both.
    """
    match value:
        case str():
            return UNKEEPABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case list():
            return [mended(each) for each in value]
        case dict():
            return {mended(key): mended(each) for key, each in value.items()}
    return value
