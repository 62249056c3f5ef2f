"""Copywriter: an advert that says what the facts say, and nothing else."""

from collections.abc import Iterator
from typing import Annotated, Literal

from caravan import App, Context, Field, Markdown, Slot

app = App()

SYSTEM = "Write a short advert from these facts alone: a headline, a text and a call to action."


@app.action("Write the advert")
def write(
    ctx: Context,
    *,
    product: Annotated[str, Field(label="Product", max_length=60, examples=("wool rug",))],
    material: Annotated[str, Field(label="Made of", max_length=60, examples=("merino wool",))],
    benefit: Annotated[
        str,
        Field(
            label="Benefit",
            description="What it does for its owner, beginning with a verb.",
            max_length=100,
            examples=("warms cold hands",),
        ),
    ],
    audience: Annotated[str, Field(label="For whom", max_length=60, examples=("tea lovers",))],
    price: Annotated[str, Field(label="Price", max_length=30, examples=("45 euros",))],
    tone: Annotated[Literal["warm", "bold", "plain"], Field(label="Tone")] = "warm",
) -> Iterator[Markdown | Slot]:
    """Turn the facts about a product into a headline, a text and a call to action."""
    facts = {
        "Product": product,
        "Made of": material,
        "Benefit": benefit,
        "For": audience,
        "Price": price,
        "Tone": tone,
    }
    prompt = "\n".join(f"{name}: {' '.join(fact.split())}" for name, fact in facts.items())
    for piece in ctx.llm.stream(prompt, system=SYSTEM, max_tokens=300, temperature=0):
        yield Markdown(piece)
    yield ctx.ads.slot("after-result")
