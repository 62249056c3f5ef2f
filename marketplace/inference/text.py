"""From token bytes to text that may be shown: whole characters only, cut at a stop text."""

import codecs


class TextStream:
    """Turns the bytes of one answer into text, piece by piece.

    It holds back the start of a character whose other bytes are still to come, and the start of
    what may become a stop text. What it holds is shorter than the longest stop text, so a step
    costs the same at the first token and at the last.
    """

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._stop = stop
        self._held = ""
        self.is_stopped = False

    def push(self, piece: bytes) -> str:
        """Take the next bytes. Returns the text that is certain now, maybe none."""
        text = self._decode(piece)
        if not self._stop:
            return text
        return self._release(self._held + text)

    def finish(self) -> str:
        """The rest of the text, when no more bytes will come; nothing after a stop text."""
        if self.is_stopped:
            return ""
        text = self._held + self._decode(b"", final=True)
        self._held = ""
        cut = self._first_stop(text)
        if cut >= 0:
            self.is_stopped = True
            return text[:cut]
        return text

    def _release(self, text: str) -> str:
        if self.is_stopped:
            return ""
        cut = self._first_stop(text)
        if cut >= 0:
            self.is_stopped = True
            self._held = ""
            return text[:cut]
        keep = max(_overlap(text, stop) for stop in self._stop)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _first_stop(self, text: str) -> int:
        return min((at for stop in self._stop if (at := text.find(stop)) >= 0), default=-1)


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` may be the start of `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
