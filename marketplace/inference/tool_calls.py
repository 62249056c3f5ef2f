"""Calls of functions, read out of an answer as its text arrives. Pure.

Each family of models writes a call in its own way:

- Llama 3: `{"name": …, "parameters": {…}}` as the whole answer, or after `<|python_tag|>`;
- Hermes and Qwen: `<tool_call>{"name": …, "arguments": {…}}</tool_call>` anywhere in it;
- Mistral: `[TOOL_CALLS][{"name": …, "arguments": {…}}]`, newer ones `[TOOL_CALLS]name[ARGS]{…}`.
"""

import hashlib
import json
from collections.abc import Generator, Sequence
from enum import StrEnum
from typing import Any, NoReturn

from marketplace.inference.ports import Tool, ToolCall

LONGEST_NAME = 200  # of what stands between the mark and the arguments in Mistral's way
ID_CHARS = 9  # Mistral's templates take ids of exactly this length

type_part = str | ToolCall
type_found = list[tuple[str, dict[str, Any]]]
type_reader = Generator[None, str, type_found]


class Dialect(StrEnum):
    """In which way a model writes calls; the value is the mark that a call begins with."""

    LLAMA = "<|python_tag|>"
    HERMES = "<tool_call>"
    MISTRAL = "[TOOL_CALLS]"


CLOSERS = {Dialect.HERMES: "</tool_call>"}
# What may be one control token of a vocabulary, and has to be seen to read a call.
MARKS = frozenset({*(dialect.value for dialect in Dialect), "</tool_call>", "[ARGS]", "[CALL_ID]"})


def dialect_of(template: str) -> Dialect | None:
    """How the model of this chat template writes calls; None where it knows no tools."""
    if "tools" not in template:
        return None
    for dialect in (Dialect.HERMES, Dialect.MISTRAL, Dialect.LLAMA):
        if dialect.value in template:
            return dialect
    # Llama 3.2 has no mark: its template asks for a bare JSON object.
    is_llama = "<|start_header_id|>" in template and '"parameters"' in template
    return Dialect.LLAMA if is_llama else None


def opening_of(dialect: Dialect) -> str:
    """What stands before a call that has to be made, where the model is used to see it."""
    return {Dialect.HERMES: f"{Dialect.HERMES}\n", Dialect.MISTRAL: Dialect.MISTRAL.value}.get(
        dialect, ""
    )


def call_schema(tools: Sequence[Tool], choice: str, dialect: Dialect) -> dict[str, Any]:
    """The JSON Schema of a call that has to be made: of the tool of this name, or of any."""
    given = "parameters" if dialect is Dialect.LLAMA else "arguments"
    wanted = [tool for tool in tools if choice in {tool.name, "required"}]
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool.name},
                given: {"type": "object", **tool.parameters},
            },
            "required": ["name", given],
            "additionalProperties": False,
        }
        for tool in wanted
    ]
    # References lead from the root of a schema, which is not the parameters' own any more.
    named = {
        name: schema for tool in wanted for name, schema in tool.parameters.get("$defs", {}).items()
    }
    return {"anyOf": calls, "$defs": named}


class NotACall(Exception):
    """What began like a call is something else."""


class ToolStream:
    """Parts an answer into its text and its calls, whatever pieces it comes in.

    What may become a call is held back until it is one or cannot be one any more; what is none,
    such as a call of a function that nobody offered, is text.

    Args:
        names: the functions the model was offered.
        seed: text from which the calls get their ids.
    """

    def __init__(self, dialect: Dialect, names: frozenset[str], seed: str) -> None:
        self._dialect = dialect
        self._names = names
        self._seed = seed
        self._calls = 0
        self._held = ""
        self._reader: type_reader | None = None
        # Where a Llama may begin a call without a mark, and where separators mean nothing.
        self._is_between = dialect is Dialect.LLAMA

    def push(self, text: str) -> list[type_part]:
        """Take the next piece. Returns what is certain now, in order."""
        parts: list[type_part] = []
        for char in text:
            self._take(char, parts)
        return _joined(parts)

    def finish(self) -> list[type_part]:
        """The rest, when no more comes: what began a call and did not end it is text."""
        held, self._held, self._reader = self._held, "", None
        is_separator = self._calls > 0 and self._is_between
        return [] if not held or is_separator else [held]

    def _take(self, char: str, parts: list[type_part]) -> None:
        self._held += char
        if self._reader is not None:
            self._read(char, parts)
        elif self._is_between:
            self._pass_separator(parts)
        else:
            self._look_for_mark(parts)

    def _read(self, char: str, parts: list[type_part]) -> None:
        assert self._reader is not None  # only called while a call is being read
        try:
            self._reader.send(char)
        except StopIteration as done:
            found: type_found = done.value
            parts += [self._call(name, arguments) for name, arguments in found]
            self._held, self._reader, self._is_between = "", None, True
        except (NotACall, ValueError, RecursionError):
            # Looking for further calls in it would cost more the longer it is.
            parts.append(self._held)
            self._held, self._reader = "", None

    def _pass_separator(self, parts: list[type_part]) -> None:
        rest = self._held.lstrip(" \t\r\n;" if self._calls else " \t\r\n")
        closer = CLOSERS.get(self._dialect, "")
        if not rest or (closer.startswith(rest) and rest != closer):
            return
        if rest == closer:
            self._held = ""
        elif rest == "{" and self._dialect is Dialect.LLAMA:
            self._begin(rest)
        else:
            self._is_between = False
            held, self._held = self._held, ""
            for each in rest if self._calls else held:
                self._take(each, parts)

    def _look_for_mark(self, parts: list[type_part]) -> None:
        mark = self._dialect.value
        while self._held and not mark.startswith(self._held):
            parts.append(self._held[0])
            self._held = self._held[1:]
        if self._held == mark:
            self._begin("")

    def _begin(self, first: str) -> None:
        self._is_between = False
        self._reader = _read_call(self._dialect, self._names)
        next(self._reader)
        if first:
            self._reader.send(first)

    def _call(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        digest = hashlib.sha256(f"{self._seed}:{self._calls}".encode()).hexdigest()
        self._calls += 1
        return ToolCall(digest[:ID_CHARS], name, json.dumps(arguments))


def _read_call(dialect: Dialect, names: frozenset[str]) -> type_reader:
    """Reads what follows a mark, a character a `send`. Raises: NotACall, ValueError."""
    first = yield from _first_of_word()
    if first == "{" or (first == "[" and dialect is Dialect.MISTRAL):
        value = json.loads((yield from _rest_of_value(first)), parse_constant=_refuse)
        return [_checked(each, names) for each in (value if first == "[" else [value])]
    if dialect is Dialect.MISTRAL:
        name = yield from _name_before_arguments(first)
        arguments = json.loads((yield from _rest_of_value("{")), parse_constant=_refuse)
        return [_checked({"name": name, "arguments": arguments}, names)]
    raise NotACall


def _first_of_word() -> Generator[None, str, str]:
    while (char := (yield)).isspace():
        continue
    return char


def _rest_of_value(first: str) -> Generator[None, str, str]:
    """The text of a JSON object or array up to its own end."""
    chars, depth = [first], 1
    is_text = is_escaped = False
    while depth:
        char = yield
        chars.append(char)
        if is_escaped:
            is_escaped = False
        elif is_text:
            is_escaped, is_text = char == "\\", char != '"'
        elif char == '"':
            is_text = True
        else:
            depth += (char in "{[") - (char in "}]")
    return "".join(chars)


def _name_before_arguments(first: str) -> Generator[None, str, str]:
    chars = [first]
    while (char := (yield)) != "{":
        chars.append(char)
        if len(chars) > LONGEST_NAME:
            raise NotACall
    return "".join(chars).partition("[")[0].strip()


def _checked(value: Any, names: frozenset[str]) -> tuple[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise NotACall
    name, arguments = value.get("name"), value.get("arguments", value.get("parameters", {}))
    if not isinstance(name, str) or name not in names or not isinstance(arguments, dict):
        raise NotACall
    return name, arguments


def _refuse(constant: str) -> NoReturn:
    raise NotACall(constant)


def _joined(parts: Sequence[type_part]) -> list[type_part]:
    joined: list[type_part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined
