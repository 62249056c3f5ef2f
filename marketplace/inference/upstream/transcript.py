"""What a server of the dialect tells while it writes an answer. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pydantic import Field

from marketplace.inference.ports import Generation, ModelUnavailable, Scored, ToolCall, Usage
from marketplace.inference.upstream.dialect import (
    CHARACTERS_PER_TOKEN,
    COMPLAINT,
    Complaint,
    Counts,
    Details,
    Lenient,
    read,
)
from marketplace.inference.upstream.settings import UpstreamSettings

COUNT_THE_END = frozenset({"llama-server", "vllm"})  # as a generated token
REASONS = {"length": "length"}  # every other way a server ends an answer is a stop of its own


class _Timings(Lenient):
    """llama-server's counts so far."""

    cache_n: int = Field(0, ge=0)
    prompt_n: int = Field(0, ge=0)
    predicted_n: int = Field(0, ge=0)


class _Function(Lenient):
    name: str | None = None
    arguments: str | None = None


class _Call(Lenient):
    index: int = 0
    id: str | None = None
    function: _Function = _Function()


class _Delta(Lenient):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Likely(Lenient):
    token: str
    logprob: float


class _Token(_Likely):
    top_logprobs: tuple[_Likely, ...] = ()


class _Logprobs(Lenient):
    content: list[_Token] | None = None


class _Choice(Lenient):
    delta: _Delta = _Delta()
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Chunk(Lenient):
    choices: tuple[_Choice, ...] = ()
    error: Complaint | None = None
    usage: Counts | None = None
    timings: _Timings | None = None


@dataclass(slots=True)
class Transcript:
    """What a stream has told so far: counts, wishes for tools, and how it ended.

    Args:
        prompt_guess: the prompt's tokens, until the server has counted them.
        counts_end: whether the server counts the token that marks the end; a receipt does not.
    """

    prompt_guess: int = 0
    counts_end: bool = False
    reason: str | None = None
    pieces: int = 0
    counts: Counts | None = None
    timings: _Timings | None = None
    calls: dict[int, _Call] = field(default_factory=dict)
    scores: list[Scored] = field(default_factory=list)

    def take(self, data: str) -> str:
        """One chunk of the stream. Returns: the text it adds. Raises: Garbled."""
        chunk: _Chunk = read(_Chunk, data)
        if chunk.error is not None:
            raise ModelUnavailable(
                f"The language model broke off: {chunk.error.message[:COMPLAINT]}",
                rule="llm.upstream",
            )
        self.counts = chunk.usage or self.counts
        self.timings = chunk.timings or self.timings
        text = ""
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for token in (choice.logprobs or _Logprobs()).content or ():
                likeliest = tuple((other.token, other.logprob) for other in token.top_logprobs)
                self.scores.append(Scored(token.token, token.logprob, likeliest))
            for call in choice.delta.tool_calls or ():
                self._take_call(call)
            if choice.finish_reason is not None:
                self.reason = REASONS.get(choice.finish_reason, "stop")
        self.pieces += bool(text)
        return text

    def take_scores(self) -> list[Scored]:
        """How likely the tokens were that came since the last time."""
        taken, self.scores = self.scores, []
        return taken

    def tool_calls(self) -> Iterator[ToolCall]:
        """The functions the model asked for."""
        for index, call in sorted(self.calls.items()):
            name, arguments = call.function.name or "", call.function.arguments or "{}"
            yield ToolCall(call.id or f"call-{index}", name, arguments)

    def usage(self) -> Usage:
        """The tokens so far: the server's own count, or the pieces that came."""
        usage = self._counted()
        has_end = self.counts_end and self.reason == "stop"
        return replace(usage, generated_tokens=max(0, usage.generated_tokens - has_end))

    def _counted(self) -> Usage:
        if self.counts is not None:
            details = self.counts.prompt_tokens_details or Details()
            return Usage(
                prompt_tokens=self.counts.prompt_tokens,
                cached_tokens=details.cached_tokens or 0,
                generated_tokens=self.counts.completion_tokens,
            )
        if self.timings is not None:
            cached = self.timings.cache_n
            return Usage(cached + self.timings.prompt_n, cached, self.timings.predicted_n)
        return Usage(self.prompt_guess, generated_tokens=self.pieces)

    def _take_call(self, call: _Call) -> None:
        known = self.calls.setdefault(call.index, _Call(function=_Function(arguments="")))
        known.id = known.id or call.id
        known.function.name = known.function.name or call.function.name
        more = call.function.arguments or ""
        known.function.arguments = (known.function.arguments or "") + more


def transcript_of(generation: Generation, settings: UpstreamSettings) -> Transcript:
    """An empty transcript of the answer to a request."""
    characters = sum(len(turn.content) for turn in generation.messages)
    return Transcript(
        prompt_guess=characters // CHARACTERS_PER_TOKEN,
        # With stop texts nobody can tell whether the answer ended with the end or with one.
        counts_end=settings.dialect in COUNT_THE_END and not generation.stop,
    )
