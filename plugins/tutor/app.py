"""Tutor: a short lesson in a language, one question after the other."""

import unicodedata
from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Literal

from caravan import App, Context, Field, Form, Markdown

app = App()

PHRASES = (
    "Where is the train station?",
    "I would like two coffees, please.",
    "My sister is tired.",
    "Good morning.",
    "Thank you very much.",
    "Where is the pharmacy?",
    "I would like a single room for two nights.",
    "The bill, please.",
    "I do not understand.",
    "How much does it cost?",
    "Where is the market?",
    "I am lost.",
)
Language = Literal["French", "Spanish", "Arabic"]
Solved = dict[str, int]


@dataclass(frozen=True)
class Attempt:
    """What the learner writes for one phrase."""

    translation: Annotated[
        str | None, Field(label="Your translation", description="Leave it empty to see the answer.")
    ] = None


@app.action("Begin a lesson")
def lesson(
    ctx: Context,
    language: Annotated[Language, Field(label="Language")] = "French",
    questions: Annotated[int, Field(label="Questions", ge=1, le=10)] = 5,
) -> Generator[Form[Attempt] | Markdown, Attempt, None]:
    """Translate phrases one by one; what you did not know comes back in the next lesson."""
    solved: Solved = ctx.kv.user.get(language) or {}
    right = 0
    # What was known least often comes first.
    chosen = sorted(PHRASES, key=lambda phrase: solved.get(phrase, 0))[:questions]
    for number, phrase in enumerate(chosen, 1):
        ctx.progress(number - 1, len(chosen), f"{number} / {len(chosen)}")
        answer = _translated(ctx, phrase, language)
        attempt = yield Form(Attempt, f"{number}. {phrase}")
        given = (attempt.translation or "").strip()
        is_right = bool(given) and _plain(given) == _plain(answer)
        solved[phrase] = solved.get(phrase, 0) + 1 if is_right else 0
        right += is_right
        ctx.kv.user.set(language, solved)
        yield Markdown(f"**{number}. {phrase}**\n\n" + _verdict(given, answer, is_right=is_right))
    ctx.progress(len(chosen), len(chosen))
    yield Markdown(f"### {right} / {len(chosen)}\n\n" + _praise(right, len(chosen)))


@app.action("What I know")
def known(
    ctx: Context, language: Annotated[Language, Field(label="Language")] = "French"
) -> Markdown:
    """The phrases you have translated rightly, and how often in a row."""
    found: Solved = ctx.kv.user.get(language) or {}
    lines = [f"- {phrase}: {count}" for phrase, count in found.items() if count]
    return Markdown("\n".join(lines) or "*Nothing yet. Begin a lesson.*")


@app.action("Begin anew")
def forget(ctx: Context, language: Annotated[Language, Field(label="Language")] = "French") -> str:
    """Forget what you know of one language."""
    ctx.kv.user.delete(language)
    return f"{language} begins anew."


def _translated(ctx: Context, phrase: str, language: str) -> str:
    system = f"Translate the text into {language}. Answer with the translation alone."
    return ctx.llm.complete(phrase, system=system, max_tokens=60, temperature=0).strip()


def _plain(text: str) -> str:
    """A sentence as it counts: no accents, no marks, no capital letters."""
    bare = "".join(
        each
        for each in unicodedata.normalize("NFD", text.lower())
        if not unicodedata.combining(each)
    )
    words = "".join(each if each.isalnum() else " " for each in bare)
    return " ".join(words.split())


def _verdict(given: str, answer: str, *, is_right: bool) -> str:
    if is_right:
        accents = "" if given == answer else f" Written out: *{answer}*"
        return f"✓ Right.{accents}\n\n"
    return f"✗ You wrote: {given}\n\n*{answer}*\n\n" if given else f"→ *{answer}*\n\n"


def _praise(right: int, asked: int) -> str:
    if right == asked:
        return "All of them. Next time others come first."
    return "What you did not know comes first next time. Another wording may be right as well."
