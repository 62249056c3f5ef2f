"""The events of an answer: text as it is certain, calls whole, and a stop text before both."""

from marketplace.inference.answers import AnswerStream
from marketplace.inference.ports import Piece, ToolCall
from marketplace.inference.tool_calls import Dialect, ToolStream

CALL = '<tool_call>{"name":"weather","arguments":{}}</tool_call>'


def with_tools(*stop: str) -> AnswerStream:
    return AnswerStream(stop, ToolStream(Dialect.HERMES, frozenset({"weather"}), "seed"))


def test_without_tools_every_piece_is_text() -> None:
    stream = AnswerStream(("END",))
    assert stream.push(CALL.encode()) == [Piece(CALL)]
    assert stream.push(b"\xc3") == []
    assert stream.push(b"\xa9E") == [Piece("é")]
    assert stream.finish() == [Piece("E")]
    assert stream.finish() == []


def test_with_tools_text_and_calls_are_told_apart_across_bytes() -> None:
    stream = with_tools()
    events = [event for byte in f"é {CALL}<".encode() for event in stream.push(bytes([byte]))]
    assert events[:2] == [Piece("é"), Piece(" ")]
    assert isinstance(events[2], ToolCall)
    assert len(events) == 3
    assert stream.finish() == []


def test_a_stop_text_ends_an_answer_with_tools() -> None:
    stream = with_tools("STOP")
    assert stream.push(b"a <tool_c STOP more") == [Piece("a <tool_c ")]
    assert stream.is_stopped
    assert stream.finish() == []


def test_half_a_call_at_the_end_is_text() -> None:
    stream = with_tools()
    assert stream.push(b'a <tool_call>{"na') == [Piece("a ")]
    assert stream.finish() == [Piece('<tool_call>{"na')]
