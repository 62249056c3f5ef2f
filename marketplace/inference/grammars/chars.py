"""Sets of characters as ranges of code points, and how each stands inside a JSON string. Pure."""

import json
from collections.abc import Iterable, Iterator

LAST = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)

type_ranges = tuple[tuple[int, int], ...]

# What must be written with a backslash inside a JSON string.
ESCAPED: type_ranges = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C))
MARKS = frozenset('"\\[]^-')  # mean something in GBNF, in a text or a set


def union(ranges: Iterable[tuple[int, int]]) -> type_ranges:
    """The ranges in order, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def complement(ranges: Iterable[tuple[int, int]]) -> type_ranges:
    """Every character that is in none of the ranges."""
    free, start = [], 0
    for first, last in union(ranges):
        if first > start:
            free.append((start, first - 1))
        start = last + 1
    if start <= LAST:
        free.append((start, LAST))
    return tuple(free)


def intersection(one: type_ranges, other: type_ranges) -> type_ranges:
    """The characters that are in both."""
    return complement((*complement(one), *complement(other)))


def in_json(ranges: type_ranges) -> str:
    """The GBNF of one of these characters inside a JSON string; empty when there is none."""
    plain = plain_in_json(ranges)
    choices = [plain] if plain else []
    choices += [literal(json.dumps(char)[1:-1]) for char in _each(intersection(ranges, ESCAPED))]
    return choices[0] if len(choices) == 1 else f"({' | '.join(choices)})" if choices else ""


def plain_in_json(ranges: type_ranges) -> str:
    """The GBNF of those of these characters that stand for themselves inside a JSON string."""
    plain = intersection(ranges, complement((*ESCAPED, SURROGATES)))
    return f"[{''.join(_range(*pair) for pair in plain)}]" if plain else ""


def literal(text: str) -> str:
    """GBNF that writes exactly this text."""
    return '"' + "".join(_code(ord(char)) for char in text) + '"'


def _each(ranges: type_ranges) -> Iterator[str]:
    for first, last in ranges:
        yield from map(chr, range(first, last + 1))


def _range(first: int, last: int) -> str:
    return _code(first) if first == last else f"{_code(first)}-{_code(last)}"


def _code(point: int) -> str:
    char = chr(point)
    if char.isprintable() and char not in MARKS:
        return char
    if point <= 0xFF:
        return f"\\x{point:02X}"
    return f"\\u{point:04X}" if point <= 0xFFFF else f"\\U{point:08X}"
