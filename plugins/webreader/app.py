"""Web reader: an article of Wikipedia in a minute, with where to read on."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import quote, unquote, urlsplit

from caravan import App, Column, Context, Field, HostError, Markdown, Result, Table

app = App()

HOSTS = {
    "English": "en.wikipedia.org",
    "Simple English": "simple.wikipedia.org",
    "Arabic": "ar.wikipedia.org",
}
Language = Literal["English", "Simple English", "Arabic"]
# Asked for as plain text: smaller than the page, and nothing of its markup to misread.
QUERY = (
    "https://{host}/w/api.php?action=query&prop=extracts&explaintext=1&redirects=1"
    "&format=json&formatversion=2&titles={title}"
)
AGENT = "CaravanWebReader/1.0 (an app of a Caravan store)"
SYSTEM = "Summarise the article in three plain sentences, for somebody who knows nothing of it."
HEADING = re.compile(r"^(==+)\s*(.+?)\s*==+\s*$", re.MULTILINE)
SENTENCE = re.compile(r"(?<=[.!?؟])\s+(?=[^\W\d_a-z])")
WORD = re.compile(r"[^\W\d_]{4,}")
WORDS_A_MINUTE = 220
LEAD_CHARACTERS = 3_000


@app.action("Read it for me")
def read(
    ctx: Context,
    *,
    article: Annotated[
        str,
        Field(
            label="Article",
            description="Its title, or its address on Wikipedia.",
            placeholder="Caravan",
            max_length=300,
            examples=("Caravanserai", "https://en.wikipedia.org/wiki/Silk_Road"),
        ),
    ],
    language: Annotated[Language, Field(label="Wikipedia")] = "English",
    sentences: Annotated[int, Field(label="Sentences", ge=2, le=10)] = 4,
    summary: Annotated[
        bool, Field(label="In the model's own words too (needs a larger model)")
    ] = False,
) -> Iterator[Result]:
    """Fetch one article and show its most telling sentences and its parts."""
    try:
        host, title = _place(article, HOSTS[language])
    except ValueError as wrong:
        yield Markdown(f"*{wrong}*")
        return
    ctx.progress(0, None, "Fetching")
    found = _fetched(ctx, host, title)
    if found is None:
        yield Markdown(f"*There is no article “{title}” on {host}. Check how it is spelt.*")
        return
    title, text = found
    lead, parts = _parts(text)
    address = f"https://{host}/wiki/{quote(title.replace(' ', '_'))}"
    minutes = max(1, round(len(text.split()) / WORDS_A_MINUTE))
    yield Markdown(f"## {title}\n\n[{host}]({address}) · {minutes} min\n\n")
    for sentence in _telling(lead or text, sentences):
        yield Markdown(f"- {sentence}\n")
    if summary:
        yield Markdown("\n### In the model's words\n\n")
        ctx.llm.forward(
            (lead or text)[:LEAD_CHARACTERS], system=SYSTEM, max_tokens=200, temperature=0
        )
    if parts:
        yield Markdown("\n### What the article has\n\n")
        heads = [Column("part", "Part"), Column("words", "Words")]
        yield Table([{"part": name, "words": words} for name, words in parts], heads)


def _place(article: str, usual: str) -> tuple[str, str]:
    """The host and the title that are meant. Raises: ValueError with a sentence."""
    wanted = article.strip()
    if "://" not in wanted:
        return usual, wanted
    address = urlsplit(wanted)
    host = (address.hostname or "").replace(".m.wikipedia.org", ".wikipedia.org")
    if host not in HOSTS.values() or not address.path.startswith("/wiki/"):
        raise ValueError(f"I only read articles of {', '.join(HOSTS.values())}.")
    return host, unquote(address.path.removeprefix("/wiki/")).replace("_", " ")


def _fetched(ctx: Context, host: str, title: str) -> tuple[str, str] | None:
    answer = ctx.http.get(
        QUERY.format(host=host, title=quote(title)), headers={"User-Agent": AGENT}
    )
    if answer.status != 200:
        raise HostError("web.status", f"{host} answered {answer.status}. Try again in a minute.")
    # A title that no article can have, such as an empty one, has no page at all.
    page = next(iter(answer.json().get("query", {}).get("pages", ())), {})
    text = page.get("extract", "").strip()
    return (page["title"], text) if text else None


def _parts(text: str) -> tuple[str, list[tuple[str, int]]]:
    """The text before the first heading, and each main part with its number of words."""
    headings = list(HEADING.finditer(text))
    lead = text[: headings[0].start()].strip() if headings else text
    parts: list[tuple[str, int]] = []
    for place, each in enumerate(headings):
        end = headings[place + 1].start() if place + 1 < len(headings) else len(text)
        words = len(text[each.end() : end].split())
        if each[1] == "==" or not parts:
            parts.append((each[2], words))
        else:
            name, so_far = parts[-1]
            parts[-1] = (name, so_far + words)
    return lead, [part for part in parts if part[1]]


def _telling(text: str, count: int) -> list[str]:
    """The sentences with the words that the text comes back to most, in their own order."""
    found = [each.strip() for each in SENTENCE.split(" ".join(text.split())) if len(each) > 20]
    weights = Counter(word.lower() for word in WORD.findall(text))
    score = {
        place: sum(weights[word.lower()] for word in set(WORD.findall(sentence)))
        / (8 + len(sentence.split()))
        for place, sentence in enumerate(found)
    }
    # What an article is about stands in its first sentence.
    best = sorted(score, key=lambda place: (place == 0, score[place]), reverse=True)[:count]
    return [found[place] for place in sorted(best)]
