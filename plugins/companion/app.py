"""Companion: a talk that goes on where it stopped, kept for one person alone."""

from collections.abc import Iterator
from typing import Annotated

from caravan import App, Context, Field, Markdown, Table

app = App()

SYSTEM = "You are a friendly companion. Answer in one or two sentences."
TURNS = "turns"
# What is sent again with every message; older turns are kept, but no longer sent.
SENT_TURNS = 6
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
    before = [part for turn in turns[-SENT_TURNS:] for part in messages_of(turn)]
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


def messages_of(turn: dict[str, str]) -> list[dict[str, str]]:
    """One turn as the model's messages."""
    return [
        {"role": "user", "content": turn["you"]},
        {"role": "assistant", "content": turn["companion"]},
    ]
