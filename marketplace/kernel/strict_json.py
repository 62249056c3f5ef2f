"""JSON as its standard and every database know it: each number is one. Pure."""

import json
import math
from typing import Any, NoReturn


def parsed(text: str) -> Any:
    """The value of a JSON text.

    Python alone also reads `NaN` and `Infinity`, and makes `1e400` infinite; a database that is
    given such a value refuses the row that holds it.

    Raises: ValueError for what is no JSON, or holds a number larger than any; RecursionError for
        what is nested too deep.
    """
    return _DECODER.decode(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is larger than any number.")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


# Made once: with an argument of its own, `json.loads` makes a decoder for every text.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
