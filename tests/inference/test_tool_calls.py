"""Calls read out of an answer: every dialect, any pieces, and nothing lost or shown by half."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.ports import ToolCall
from marketplace.inference.tool_calls import Dialect, ToolStream, dialect_of, type_part

NAMES = frozenset({"weather", "add_up"})
LLAMA, HERMES, MISTRAL = Dialect.LLAMA, Dialect.HERMES, Dialect.MISTRAL
EVERY_DIALECT = st.sampled_from(list(Dialect))

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
objects = st.dictionaries(st.text(max_size=8), scalars | st.lists(scalars, max_size=3), max_size=4)
calls = st.lists(st.tuples(st.sampled_from(sorted(NAMES)), objects), min_size=1, max_size=4)
pieces_of_marks = st.sampled_from(
    [mark.value[:cut] for mark in Dialect for cut in (1, 3, 5, 99)]
    + ["</tool_call>", "{", "}", "[", "]", '"', "\\", ";", " ", "\n", "[ARGS]", "weather"]
    + ['{"name": "weather", "arguments": {}}', '{"name": "nobody", "parameters": {}}']
)
answers = st.lists(pieces_of_marks | st.text(max_size=4), max_size=20).map("".join)


def read(dialect: Dialect, *pieces: str, names: frozenset[str] = NAMES) -> list[Any]:
    """Text, and calls as (name, arguments), of an answer that comes in pieces."""
    stream = ToolStream(dialect, names, "seed")
    parts: list[type_part] = []
    for piece in pieces:
        parts += stream.push(piece)
    parts += stream.finish()
    merged: list[Any] = []
    for part in parts:
        if isinstance(part, ToolCall):
            merged.append((part.name, json.loads(part.arguments)))
        elif merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def written(dialect: Dialect, wanted: list[tuple[str, dict[str, Any]]]) -> str:
    """Calls as a model of this family writes them."""
    key = "parameters" if dialect is LLAMA else "arguments"
    texts = [json.dumps({"name": name, key: arguments}) for name, arguments in wanted]
    if dialect is MISTRAL:
        return f"[TOOL_CALLS][{', '.join(texts)}]"
    if dialect is LLAMA:
        return "<|python_tag|>" + "; ".join(texts)
    return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in texts)


WEATHER, ADD_UP = '{"name":"weather"}', '{"name":"add_up"}'
BOTH = ["weather", "add_up"]


@pytest.mark.parametrize(
    ("dialect", "answer", "parts"),
    [
        (LLAMA, '{"name":"weather","parameters":{"in":"Fes"}}', [("weather", {"in": "Fes"})]),
        (LLAMA, f" \n{WEATHER}", [("weather", {})]),
        (LLAMA, f"<|python_tag|>{WEATHER};{ADD_UP}", BOTH),
        (LLAMA, "<|python_tag|>weather.call(1)", None),
        (LLAMA, '{"name": "nobody"} or so', None),
        (LLAMA, f"  plain {WEATHER}", None),
        (LLAMA, "   ", None),
        (HERMES, f"I see.<tool_call>{WEATHER}</tool_call>", ["I see.", "weather"]),
        (HERMES, f"<tool_call>{WEATHER} then this", ["weather", "then this"]),
        (HERMES, f"<tool_call>{WEATHER}\n<tool_call>{ADD_UP}</too", BOTH),
        (HERMES, "<tool_call>no", None),
        (HERMES, "<tool_call>[1]", None),
        (HERMES, '<tool_call>{"name":"weather","arguments":"x"}', None),
        (HERMES, '<tool_call>{"name":"weather","arguments":{"a":NaN}}', None),
        (HERMES, '<tool_call>{"name":"weather"', None),
        (HERMES, '<tool_call>{"name":["weather"]}', None),
        (HERMES, '<tool_call>{"name":"weather","x":' + "[" * 9000 + "]" * 9000 + "}", None),
        (HERMES, "<tool_call>{" * 500 + "}" * 500, None),
        (HERMES, "a < b <tool_cal", None),
        (MISTRAL, f"x[TOOL_CALLS] [{WEATHER},{ADD_UP}]", ["x", *BOTH]),
        (MISTRAL, '[TOOL_CALLS]weather[ARGS]{"in":"}"}', [("weather", {"in": "}"})]),
        (MISTRAL, "[TOOL_CALLS]weather[CALL_ID]1[ARGS]{}[TOOL_CALLS]add_up{}", BOTH),
        (MISTRAL, "[TOOL_CALLS][1]", None),
        (MISTRAL, "[TOOL_CALLS]" + "n" * 300, None),
    ],
)
def test_an_answer_is_parted_into_text_and_calls(
    dialect: Dialect, answer: str, parts: list[Any] | None
) -> None:
    wanted = [answer] if parts is None else parts
    got = read(dialect, answer)
    assert [
        part[0] if isinstance(want, str) and isinstance(part, tuple) else part
        for part, want in zip(got, wanted, strict=True)
    ] == wanted


@given(EVERY_DIALECT, calls, st.text("abc .,é", max_size=10))
def test_every_call_is_read_back_and_the_text_before_it(
    dialect: Dialect, wanted: list[tuple[str, dict[str, Any]]], text: str
) -> None:
    got = read(dialect, text + written(dialect, wanted))
    before = [text] if text.strip() or (text and dialect is not LLAMA) else got[: -len(wanted)]
    assert got == [*before, *wanted]


@given(EVERY_DIALECT, answers, st.data())
def test_the_pieces_an_answer_comes_in_change_nothing(
    dialect: Dialect, answer: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(answer)), max_size=6)))
    edges = [0, *cuts, len(answer)]
    pieces = [answer[a:b] for a, b in pairwise(edges)]
    assert read(dialect, *pieces) == read(dialect, answer)


@given(EVERY_DIALECT, answers)
def test_where_nothing_was_offered_all_is_text(dialect: Dialect, answer: str) -> None:
    assert "".join(read(dialect, *answer, names=frozenset())) == answer


@given(EVERY_DIALECT, calls)
def test_no_part_of_a_call_is_shown_before_it_is_known_to_be_none(
    dialect: Dialect, wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    stream = ToolStream(dialect, NAMES, "seed")
    shown = [part for char in written(dialect, wanted) for part in stream.push(char)]
    assert [type(part) for part in shown] == [ToolCall] * len(wanted)


def test_ids_differ_within_an_answer_and_between_answers() -> None:
    answer = '<tool_call>{"name":"weather"}</tool_call>' * 2
    ids = [
        part.id
        for seed in ("one", "two")
        for part in ToolStream(HERMES, NAMES, seed).push(answer)
        if isinstance(part, ToolCall)
    ]
    assert len(set(ids)) == 4
    assert all(len(ident) == 9 and ident.isalnum() for ident in ids)


@pytest.mark.parametrize(
    ("template", "dialect"),
    [
        ("{% if tools %}<tool_call>{% endif %}", HERMES),
        ("{% if tools %}[AVAILABLE_TOOLS]{% endif %}[TOOL_CALLS]", MISTRAL),
        ("{% if tools %}<|start_header_id|><|python_tag|>", LLAMA),
        ('{% if tools %}<|start_header_id|>{"name": 1, "parameters": 2}', LLAMA),
        ("{% if tools %}something else", None),
        ("<tool_call> without any", None),
    ],
)
def test_the_dialect_is_told_by_the_template(template: str, dialect: Dialect | None) -> None:
    assert dialect_of(template) is dialect
