"""The events of one answer, out of the bytes of its tokens: text, and calls of tools. Pure."""

from marketplace.inference.ports import Piece, ToolCall
from marketplace.inference.text import TextStream
from marketplace.inference.tool_calls import ToolStream

type_events = list[Piece | ToolCall]


class AnswerStream:
    """Turns token bytes into events; never half a character, a stop text or half a call.

    Args:
        tools: reads calls out of the text, where tools were offered.
    """

    def __init__(self, stop: tuple[str, ...] = (), tools: ToolStream | None = None) -> None:
        self._text = TextStream(stop)
        self._tools = tools

    @property
    def is_stopped(self) -> bool:
        """Whether a stop text has ended the answer."""
        return self._text.is_stopped

    def push(self, piece: bytes) -> type_events:
        """Take the bytes of the next token. Returns the events that are certain now."""
        text = self._text.push(piece)
        if not text:
            return []
        return [Piece(text)] if self._tools is None else _events(self._tools.push(text))

    def finish(self) -> type_events:
        """What is left when no more bytes will come."""
        text = self._text.finish()
        if self._tools is None:
            return [Piece(text)] if text else []
        return _events([*self._tools.push(text), *self._tools.finish()])


def _events(parts: list[str | ToolCall]) -> type_events:
    return [Piece(part) if isinstance(part, str) else part for part in parts]
