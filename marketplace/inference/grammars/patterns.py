r"""Regular expressions of JSON Schemas as GBNF that writes the text inside a JSON string. Pure.

Understood are characters, `.`, classes, groups, alternatives, `* + ?`, `{m,n}` and the escapes
`\d \w \s` and their opposites. What GBNF cannot say, such as a look-ahead, is refused.
"""

from collections.abc import Callable

from marketplace.inference.grammars.chars import complement, in_json, type_ranges, union
from marketplace.inference.ports import BadGeneration

MOST_REPEATS = 1000
MOST_QUANTIFIERS = 16
DEEPEST_GROUP = 20
DIGITS: type_ranges = ((0x30, 0x39),)
WORD: type_ranges = union((*DIGITS, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)))
SPACE: type_ranges = union(((0x09, 0x0D), (0x20, 0x20)))
# Languages disagree on what else is a space; what is none has to be none in all of them.
ANY_SPACE: type_ranges = union(
    (
        *SPACE,
        *((0x1C, 0x1F), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
        *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
        (0xFEFF, 0xFEFF),
    )
)
CLASSES = {
    "d": DIGITS,
    "w": WORD,
    "s": SPACE,
    "D": complement(DIGITS),
    "W": complement(WORD),
    "S": complement(ANY_SPACE),
}
CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
HEX_DIGITS = {"x": 2, "u": 4}
ANY = complement(((0x0A, 0x0A), (0x0D, 0x0D)))
SPECIAL = frozenset("()[]{}|*+?.^$\\")


def pattern_gbnf(pattern: str, name_rule: Callable[[str], str]) -> str:
    """The GBNF of the texts a pattern allows, without their quotes.

    A pattern that is not tied to the start or the end by `^` or `$` may stand anywhere, as
    JSON Schema has it.

    Args:
        name_rule: makes a rule of a GBNF text and gives its name; what repeats must have one.
    Raises: BadGeneration for what is no pattern, cannot be said, or would be slow beyond use.
    """
    return _Reader(pattern, name_rule).read()


class _Reader:
    """Walks once through a pattern."""

    def __init__(self, pattern: str, name_rule: Callable[[str], str]) -> None:
        self._pattern = pattern
        self._name_rule = name_rule
        self._at = 0
        self._end = len(pattern)
        self._quantifiers = 0

    def read(self) -> str:
        starts, ends = self._take("^"), self._pattern.endswith("$")
        before = self._pattern[:-1]
        if (len(before) - len(before.rstrip("\\"))) % 2:
            ends = False  # the last character is written out, no anchor
        self._end -= ends
        body = self._alternatives(0)
        if self._at < self._end:
            raise self._refusal("has a bracket that nothing opened")
        anything = f"{self._name_rule(in_json(complement(())))}*"
        return " ".join(
            [*([] if starts else [anything]), f"({body})", *([] if ends else [anything])]
        )

    def _alternatives(self, depth: int) -> str:
        if depth > DEEPEST_GROUP:
            raise self._refusal(f"has more than {DEEPEST_GROUP} groups inside each other")
        choices = [self._sequence(depth)]
        while self._take("|"):
            choices.append(self._sequence(depth))
        return " | ".join(choices)

    def _sequence(self, depth: int) -> str:
        parts = []
        while self._at < self._end and self._peek() not in {"|", ")"}:
            is_group = self._peek() == "("
            part = self._group(depth) if is_group else self._char_set()
            parts.append(self._repeated(part, is_group=is_group))
        return " ".join(parts) or '""'

    def _group(self, depth: int) -> str:
        self._at += 1
        if self._take("?") and not self._take(":"):
            raise self._refusal("looks ahead or names a group")
        body = self._alternatives(depth + 1)
        if not self._take(")"):
            raise self._refusal("has a group that does not end")
        return f"({body})"

    def _repeated(self, part: str, *, is_group: bool) -> str:
        least, most = 1, 1
        match self._peek():
            case "*":
                least, most = 0, -1
            case "+":
                least, most = 1, -1
            case "?":
                least, most = 0, 1
            case "{":
                return self._counted(part, is_group=is_group)
            case _:
                return part
        self._at += 1
        return self._quantified(part, least, most, is_group=is_group)

    def _counted(self, part: str, *, is_group: bool) -> str:
        end = self._pattern.find("}", self._at)
        least, comma, most = self._pattern[self._at + 1 : max(end, 0)].partition(",")
        if end < 0 or not least.isdecimal() or not (most.isdecimal() or not most):
            raise self._refusal("has a repetition other than {m}, {m,} and {m,n}")
        self._at = end + 1
        upper = (int(most) if most else -1) if comma else int(least)
        return self._quantified(part, int(least), upper, is_group=is_group)

    def _quantified(self, part: str, least: int, most: int, *, is_group: bool) -> str:
        self._quantifiers += 1
        if is_group or self._quantifiers > MOST_QUANTIFIERS or max(least, most) > MOST_REPEATS:
            # Optional parts inside optional parts keep exponentially many parses alive.
            raise self._refusal(
                f"is too involved: use at most {MOST_QUANTIFIERS} repetitions of at most "
                f"{MOST_REPEATS}, and none of a group"
            )
        if 0 <= most < least:
            raise self._refusal("repeats at most less often than at least")
        if self._peek() in {"?", "+"} and self._at < self._end:
            raise self._refusal("has a lazy or possessive repetition")
        rule = self._name_rule(part)
        return f"{rule}{{{least},{most if most >= 0 else ''}}}"

    def _char_set(self) -> str:
        char = self._next()
        if char == ".":
            ranges = ANY
        elif char == "[":
            ranges = self._class()
        elif char == "\\":
            ranges = self._escape()
        elif char in SPECIAL:
            raise self._refusal(f"has a {char} where none can be")
        else:
            ranges = ((ord(char), ord(char)),)
        gbnf = in_json(ranges)
        if not gbnf:
            raise self._refusal("has a class without characters")
        return gbnf

    def _class(self) -> type_ranges:
        is_negated = self._take("^")
        found: list[tuple[int, int]] = []
        while not self._take("]"):
            first = self._member()
            if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._at += 1
                last = self._member()
                if len({*first[0]}) > 1 or len({*last[0]}) > 1 or first > last:
                    raise self._refusal("has a range that runs backwards or ends in a class")
                first = ((first[0][0], last[0][0]),)
            found += first
        ranges = union(found)
        return complement(ranges) if is_negated else ranges

    def _member(self) -> type_ranges:
        char = self._next()
        return self._escape() if char == "\\" else ((ord(char), ord(char)),)

    def _escape(self) -> type_ranges:
        char = self._next()
        if char in CLASSES:
            return CLASSES[char]
        if char in HEX_DIGITS:
            digits = self._pattern[self._at : self._at + HEX_DIGITS[char]]
            try:
                point = int(digits, 16)
            except ValueError:
                raise self._refusal(f"has \\{char} without its digits") from None
            self._at += len(digits)
            return ((point, point),)
        if char.isalnum() and char not in CONTROLS:
            raise self._refusal(f"uses \\{char}")
        point = ord(CONTROLS.get(char, char))
        return ((point, point),)

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1] if self._at < self._end else ""

    def _take(self, char: str) -> bool:
        is_there = self._pattern.startswith(char, self._at)
        self._at += is_there
        return is_there

    def _next(self) -> str:
        if self._at >= self._end:
            raise self._refusal("ends in the middle")
        self._at += 1
        return self._pattern[self._at - 1]

    def _refusal(self, what: str) -> BadGeneration:
        return BadGeneration(f"The pattern {self._pattern!r:.60} {what}.", rule="llm.schema")
