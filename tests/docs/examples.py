"""The examples of the pages under docs/capabilities; `test_pages.py` runs each of them."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from caravan import (
    App,
    Chart,
    Context,
    Field,
    File,
    Form,
    Image,
    Json,
    Markdown,
    Result,
    Slot,
    Table,
)

app = App()


@app.action("Explain")
def model(ctx: Context, word: str) -> Iterator[str]:
    """Stream an answer, then go on from it."""
    chat = ctx.llm.chat(system="Explain words to a child. Be brief.")
    yield from chat.say(f"What is {word}?", max_tokens=80)
    yield "\n\n"
    yield from chat.say("Give one example.", max_tokens=40)


@dataclass(frozen=True)
class Ticket:
    """What the model fills in."""

    topic: Literal["delivery", "refund", "other"]
    urgent: bool


@app.action("Sort")
def data(ctx: Context, message: str) -> Json:
    """Get an answer as data: the model can only write what fits the class."""
    ticket = ctx.llm.json(message, Ticket, system="Sort this message.", max_tokens=60)
    return Json(ticket)


@app.action("Find the nearest")
def vectors(ctx: Context, question: str) -> str:
    """Compare texts by their meaning."""
    answers = ["Open from nine to five.", "Parking is behind the house."]
    asked, *known = ctx.llm.embed([question, *answers])
    near = [sum(a * b for a, b in zip(asked, each, strict=True)) for each in known]
    return answers[near.index(max(near))]


@app.action("Count")
def storage(ctx: Context, note: str) -> str:
    """Remember something for this person, and count for everyone."""
    seen: list[str] = ctx.kv.user.get("notes", [])
    if not ctx.kv.user.cas("notes", seen or None, [*seen, note]):
        return "Another run was quicker; please try again."
    return f"Your note {len(seen) + 1}, of {ctx.kv.app.incr('notes')} in all."


@app.action("Read a file")
def files(
    file: Annotated[File, Field(accept=(".txt", ".md"), max_bytes=500_000)],
) -> str:
    """Read the file a person picked, and nothing else."""
    return f"{file.name} has {len(file.text().split())} words."


@app.action("Fetch a page")
def web(ctx: Context, page: str) -> str:
    """Ask one of the hosts that the manifest names."""
    answer = ctx.http.get(f"https://example.org/{page}")
    return answer.text[:200] if answer.status == 200 else f"There is no “{page}”."


@app.action("Greet")
def settings(ctx: Context) -> str:
    """Use what the person set for the app, and their language."""
    name = ctx.settings.get("name", "friend")
    return f"Marhaba, {name}!" if ctx.user.locale == "ar" else f"Hello, {name}!"


@dataclass(frozen=True)
class Guess:
    """What the person is asked."""

    number: Annotated[int, Field(ge=1, le=9)]


@app.action("Guess a number")
def forms() -> Generator[str | Form[Guess], Guess, None]:
    """Ask in the middle of a run, and go on with the answer."""
    guess = yield Form(Guess, "Which number do I think of?")
    yield "Right!" if guess.number == 7 else f"Not {guess.number}."


TENT = bytes.fromhex("89504e470d0a1a0a")  # the beginning of a PNG file


@app.action("Show everything")
def results() -> Iterator[Result]:
    """Every kind of result."""
    yield "Plain text, "
    yield Markdown("**bold** text.")
    yield Table([{"city": "Fes", "nights": 2}, {"city": "Rabat", "nights": 1}])
    yield Chart(["Jan", "Feb", "Mar"], {"Rain": [30, None, 12]}, title="Weather", type="bar")
    yield Image(TENT, alt="A tent at dusk")
    yield Json({"any": ["value"]})


@app.action("Write a poem")
def money(ctx: Context) -> Iterator[str | Slot]:
    """Sell a part, count use, and show an advertisement to the others."""
    yield "A short poem. "
    if ctx.entitled("pro"):
        ctx.meter("pages")
        yield "And a long one."
    else:
        yield ctx.ads.slot("after-result")


@app.action("Work through a list")
def progress(ctx: Context) -> str:
    """Show how far the work is, and keep a log for yourself."""
    for done in range(1, 4):
        ctx.progress(done, 3, f"Step {done}")
    ctx.log.info("Three steps done.")
    return "Ready."
