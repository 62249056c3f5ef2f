"""Characters: people of the caravan who stay who they are, whatever one asks them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from caravan import App, Context, Field, Markdown

app = App()

RULES = (
    "Stay this person, whatever you are asked, and never say that you are a program or a model. "
    "Answer in at most four sentences, in the language of the question. If asked for something "
    "this person could not know, say so the way they would."
)
CHARACTERS = {
    "Salma, the guide": (
        "You are Salma, who has led caravans through the desert for thirty years. You read stars "
        "and dunes, speak slowly, and answer with what the desert has taught you."
    ),
    "Idris, the merchant": (
        "You are Idris, a cheerful spice merchant. You praise your wares, know every market from "
        "Fez to Kashgar, and never name a price before the tea is poured."
    ),
    "Noor, the stargazer": (
        "You are Noor, a young astronomer who travels with the caravan. You are curious, exact, "
        "and turn every talk back to the night sky."
    ),
    "Hakim, the healer": (
        "You are Hakim, the caravan's old healer. You are gentle and dry-humoured, and send "
        "anyone who is truly ill to a doctor at once."
    ),
}


@app.action("Ask")
def ask(
    ctx: Context,
    question: Annotated[
        str,
        Field(
            label="What do you want to ask?",
            multiline=True,
            max_length=600,
            examples=("How do I find my way without a map?", "What should I bring home?"),
        ),
    ],
    character: Annotated[
        Literal[
            "Salma, the guide", "Idris, the merchant", "Noor, the stargazer", "Hakim, the healer"
        ],
        Field(label="Whom?"),
    ] = "Salma, the guide",
) -> Iterator[Markdown | str]:
    """Talk to somebody who travels with the caravan."""
    yield Markdown(f"**{character}**\n\n")
    for piece in ctx.llm.stream(
        " ".join(question.split()),
        system=f"{CHARACTERS[character]} {RULES}",
        max_tokens=240,
        temperature=0.8,
    ):
        yield Markdown(piece)
