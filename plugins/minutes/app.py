"""Minutes: what was decided in a meeting, who does what, and what stayed open."""

import re
from collections.abc import Iterator
from typing import Annotated

from caravan import App, Column, Context, Field, File, Markdown, Result, Table

app = App()

SYSTEM = "Summarise this part of a meeting in two or three plain sentences. Name who said what."
PART_CHARACTERS = 2_000
MOST_PARTS = 12
# Minutes are written in many ways; these are the marks that people put on the lines that count.
MARKS = {
    "decision": re.compile(
        r"\b(decided|decision|agreed|approved)\b|قررنا|قرار|اتفقنا", re.IGNORECASE
    ),
    "action": re.compile(
        r"\b(todo|to do|action|will|has to|needs? to|must)\b|\[ ?\]|مهمة|سوف|يجب|على عاتق",
        re.IGNORECASE,
    ),
    "open": re.compile(r"\?\s*$|؟\s*$|\b(open question|unclear|tbd)\b|غير واضح", re.IGNORECASE),
}
SPEAKER = re.compile(
    r"^\s*(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?([^\W\d_][\w .'-]{0,30})\s*[:\uff1a]\s+"
)
NAMED = re.compile(r"^([^\W\d_][\w'-]+)\s+(?:will|has to|needs to|must)\b")
DUE = re.compile(
    r"\b(?:by|before|until|on)\s+((?:next\s+)?(?:mon|tues|wednes|thurs|fri|satur|sun)day|tomorrow"
    r"|\d{1,2}(?:\s+\w+|[./-]\d{1,2})?|(?:the end of )?(?:the|this|next) (?:day|week|month))",
    re.IGNORECASE,
)
LABELS = re.compile(
    r"^(?:(?:decision|decided|action|todo|to do|open question|مهمة|قرار)\s*[:\uff1a]|\[ ?\])\s*",
    re.IGNORECASE,
)
# What stands before a colon at the top of minutes and is nobody who speaks.
HEADS = frozenset(
    "date time place agenda topic subject present attendees apologies absent notes note chair "
    "التاريخ الوقت المكان الموضوع الحضور ملاحظات".split()
)


@app.action("Write the minutes")
def write(
    ctx: Context,
    *,
    notes: Annotated[
        File,
        Field(
            label="Notes or transcript",
            description="A plain text file: notes, a chat, subtitles.",
            accept=(".txt", ".md", ".vtt", ".srt"),
            max_bytes=500_000,
        ),
    ],
    summary: Annotated[
        bool, Field(label="With a summary in sentences (needs a larger model)")
    ] = False,
) -> Iterator[Result]:
    """Find the decisions, the tasks and the open questions in the notes of a meeting."""
    lines = _lines(notes.text())
    if not lines:
        yield Markdown("*There are no words in this file.*")
        return
    people = sorted({who for who, _ in lines if who})
    yield Markdown(f"## {notes.name}\n\n")
    if people:
        yield Markdown(f"**Present:** {', '.join(people)}\n\n")
    yield from _found(lines)
    if summary:
        yield Markdown("\n### Summary\n\n")
        parts = _parts(lines)
        for number, part in enumerate(parts[:MOST_PARTS], 1):
            ctx.progress(number - 1, len(parts[:MOST_PARTS]), "Reading")
            ctx.llm.forward(part, system=SYSTEM, max_tokens=160, temperature=0)
            yield Markdown("\n\n")
        if len(parts) > MOST_PARTS:
            yield Markdown("*The rest of the notes was too long to be summarised.*")


def _lines(text: str) -> list[tuple[str, str]]:
    """Who spoke, where the line says so, and what."""
    found = []
    for raw in text.splitlines():
        line = raw.strip().lstrip("-*•# ").strip()
        # Subtitles number their lines and say when each is spoken.
        if not line or line == "WEBVTT" or line.isdigit() or "-->" in line:
            continue
        spoken = SPEAKER.match(line)
        is_head = spoken and spoken[1].strip().casefold() in HEADS
        if spoken and not is_head and not LABELS.match(line):
            found.append((spoken[1].strip(), line[spoken.end() :]))
        else:
            found.append(("", line))
    return found


def _kind(line: str) -> str | None:
    # A task is often put as a question, but what is labelled is what its label says.
    is_labelled = LABELS.match(line)
    order = ("decision", "action", "open") if is_labelled else ("decision", "open", "action")
    return next((kind for kind in order if MARKS[kind].search(line)), None)


def _found(lines: list[tuple[str, str]]) -> Iterator[Result]:
    sorted_lines: dict[str, list[tuple[str, str]]] = {"decision": [], "action": [], "open": []}
    for who, line in lines:
        kind = _kind(line)
        if kind:
            sorted_lines[kind].append((who, LABELS.sub("", line)))
    if decided := sorted_lines["decision"]:
        yield Markdown("### Decisions\n\n" + _listed(decided))
    if tasks := sorted_lines["action"]:
        yield Markdown("### Tasks\n\n")
        rows = [[_owner(who, line), line, _due(line)] for who, line in tasks]
        heads = [Column("who", "Who"), Column("what", "What"), Column("due", "By when")]
        yield Table([dict(zip(("who", "what", "due"), row, strict=True)) for row in rows], heads)
    if asked := sorted_lines["open"]:
        yield Markdown("\n### Open questions\n\n" + _listed(asked))
    if not any(sorted_lines.values()):
        yield Markdown(
            "*No line of these notes is marked as a decision, a task or a question.* "
            "Lines such as “Decision: …”, “Sara will …” or “Who pays?” are found.\n"
        )


def _listed(lines: list[tuple[str, str]]) -> str:
    return "".join(f"- {line}{f' ({who})' if who else ''}\n" for who, line in lines) + "\n"


def _owner(who: str, line: str) -> str:
    named = NAMED.match(line)
    if named and named[1].lower() not in {"i", "we", "it", "this", "that", "he", "she", "they"}:
        return named[1]
    return who


def _due(line: str) -> str:
    found = DUE.search(line)
    return found[1] if found else ""


def _parts(lines: list[tuple[str, str]]) -> list[str]:
    parts, part = [], ""
    for who, line in lines:
        said = f"{who}: {line}\n" if who else f"{line}\n"
        if part and len(part) + len(said) > PART_CHARACTERS:
            parts.append(part)
            part = ""
        part += said[:PART_CHARACTERS]
    return [*parts, part] if part else parts
