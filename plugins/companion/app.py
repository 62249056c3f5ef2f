"""Companion: a talk that goes on where it stopped, kept for one person alone."""

from collections.abc import Iterator
from typing import Annotated

from caravan import App, Context, Field, Markdown, Table

app = App()

SYSTEM = "You are a friendly assistant. Keep your answers short."
TURNS = "turns"
# What is sent again with every message, so that a small model holds it; older turns are kept.
SENT_TURNS = 6
SENT_CHARACTERS = 800
KEPT_TURNS = 40


@app.action("Talk")
def talk(
    ctx: Context,
    message: Annotated[
        str,
        Field(
            label="Your message",
            max_length=500,
            examples=("What is Caravan?", "Who are you?"),
        ),
    ],
) -> Iterator[str]:
    """Say something; what was said before is remembered."""
    turns = ctx.kv.user.get(TURNS, [])
    said = " ".join(message.split())
    before = [part for turn in recent(turns) for part in messages_of(turn)]
    asked = [{"role": "system", "content": SYSTEM}, *before, {"role": "user", "content": said}]
    answer = ""
    for piece in ctx.llm.stream(asked, max_tokens=200, temperature=0.7):
        answer += piece
        yield piece
    ctx.kv.user.set(TURNS, [*turns, {"you": said, "companion": answer}][-KEPT_TURNS:])


@app.action("What do you remember?")
def remembered(ctx: Context) -> Iterator[Markdown | Table]:
    """Show everything that is kept of your talk."""
    turns = ctx.kv.user.get(TURNS, [])
    if turns:
        yield Table(turns, ["you", "companion"])
    else:
        yield Markdown("*Nothing yet.*")


@app.action("Forget everything")
def forget(ctx: Context) -> Iterator[str]:
    """Remove everything that is kept of your talk."""
    ctx.kv.user.delete(TURNS)
    yield "I have forgotten our talk."


def recent(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The last turns, as many as may be sent."""
    left, found = SENT_CHARACTERS, []
    for turn in reversed(turns[-SENT_TURNS:]):
        left -= len(turn["you"]) + len(turn["companion"])
        if left < 0:
            break
        found.append(turn)
    return found[::-1]


def messages_of(turn: dict[str, str]) -> list[dict[str, str]]:
    """One turn as the model's messages."""
    return [
        {"role": "user", "content": turn["you"]},
        {"role": "assistant", "content": turn["companion"]},
    ]
