"""Phrasebook: what a traveller wants to say, in the language of the place."""

from collections.abc import Iterator
from typing import Annotated, Literal

from caravan import App, Context, Field

app = App()


@app.action("Translate")
def translate(
    ctx: Context,
    text: Annotated[
        str,
        Field(
            label="What do you want to say?",
            placeholder="Where is the train station?",
            max_length=300,
            examples=("Where is the train station?", "I would like two coffees, please."),
        ),
    ],
    language: Annotated[Literal["French", "Spanish", "Arabic"], Field(label="Language")] = "French",
) -> Iterator[str]:
    """Translate an English phrase for the road."""
    yield from ctx.llm.stream(
        " ".join(text.split()),
        system=f"Translate the text into {language}. Answer with the translation alone.",
        max_tokens=200,
        temperature=0,
    )
