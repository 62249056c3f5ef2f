"""A small reader of GBNF for tests: writes random texts that a grammar allows."""

from random import Random
from typing import Any

ESCAPES = {"x": 2, "u": 4, "U": 8}


def rules_of(text: str) -> dict[str, Any]:
    """The parsed rules of a grammar, each on one line."""
    pairs = (line.split(" ::= ", 1) for line in text.splitlines())
    return {name: _Reader(body).alternatives() for name, body in pairs}


def write(rules: dict[str, Any], draw: Random, *, deepest: int = 30) -> str:
    """One text that the rule `root` allows; close to its end it takes the shortest way."""
    return _Writer(rules, draw, deepest).write(rules["root"], 0)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def alternatives(self) -> Any:
        choices = [self.sequence()]
        while self.take("|"):
            choices.append(self.sequence())
        return ("any", choices)

    def sequence(self) -> Any:
        parts: list[Any] = []
        while (char := self.peek()) and char not in "|)":
            if char == '"':
                parts.append(("text", self.quoted()))
            elif char == "[":
                parts.append(("set", self.ranges()))
            elif char == "(":
                self.at += 1
                parts.append(self.alternatives())
                assert self.take(")")
            else:
                parts.append(("rule", self.word()))
            least, most = self.counts()
            if (least, most) != (1, 1):
                parts[-1] = ("repeat", parts[-1], least, most)
        return ("all", parts)

    def counts(self) -> tuple[int, int]:
        for mark, counts in (("?", (0, 1)), ("*", (0, 5)), ("+", (1, 5))):
            if self.text.startswith(mark, self.at):
                self.at += 1
                return counts
        if not self.text.startswith("{", self.at):
            return 1, 1
        end = self.text.index("}", self.at)
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        self.at = end + 1
        return int(least), int(most) if most else int(least) + 5 * bool(comma)

    def quoted(self) -> str:
        self.at += 1
        chars = []
        while self.text[self.at] != '"':
            chars.append(self.char())
        self.at += 1
        return "".join(chars)

    def ranges(self) -> list[tuple[int, int]]:
        self.at += 1
        assert self.text[self.at] != "^"
        found = []
        while self.text[self.at] != "]":
            first = last = ord(self.char())
            if self.text[self.at] == "-" and self.text[self.at + 1] != "]":
                self.at += 1
                last = ord(self.char())
            assert first <= last
            found.append((first, last))
        self.at += 1
        assert found
        return found

    def char(self) -> str:
        char = self.text[self.at]
        self.at += 1
        if char != "\\":
            return char
        kind = self.text[self.at]
        self.at += 1
        if kind in ESCAPES:
            digits = self.text[self.at : self.at + ESCAPES[kind]]
            self.at += len(digits)
            return chr(int(digits, 16))
        return {"n": "\n", "r": "\r", "t": "\t"}.get(kind, kind)

    def word(self) -> str:
        start = self.at
        while self.text[self.at : self.at + 1].isalnum() or self.text[self.at : self.at + 1] == "-":
            self.at += 1
        assert self.at > start, self.text[start:]
        return self.text[start : self.at]

    def peek(self) -> str:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take(self, char: str) -> bool:
        is_there = self.peek() == char
        self.at += is_there
        return is_there


class _Writer:
    def __init__(self, rules: dict[str, Any], draw: Random, deepest: int) -> None:
        self.rules, self.draw, self.deepest = rules, draw, deepest
        self.heights = dict.fromkeys(rules, 1e9)
        while True:
            now = {name: 1 + self.height(node) for name, node in rules.items()}
            if now == self.heights:
                break
            self.heights = now

    def height(self, node: Any) -> float:
        """How many rules a text of this must at least go through."""
        kind, inner = node[0], node[1]
        if kind in {"any", "all"}:
            heights = [self.height(each) for each in inner]
            return min(heights) if kind == "any" else max(heights, default=0)
        if kind == "rule":
            return self.heights[inner]
        return self.height(inner) if kind == "repeat" and node[2] else 0

    def write(self, node: Any, depth: int) -> str:
        kind, inner = node[0], node[1]
        is_late = depth > self.deepest
        if kind == "text":
            return str(inner)
        if kind == "set":
            first, last = self.draw.choice(inner)
            return chr(self.draw.randint(first, last))
        if kind == "rule":
            return self.write(self.rules[inner], depth + 1)
        if kind == "all":
            return "".join(self.write(each, depth) for each in inner)
        if kind == "any":
            choice = min(inner, key=self.height) if is_late else self.draw.choice(inner)
            return self.write(choice, depth)
        least, most = node[2], node[3]
        count = least if is_late else self.draw.randint(least, min(most, least + 5))
        return "".join(self.write(inner, depth) for _ in range(count))
