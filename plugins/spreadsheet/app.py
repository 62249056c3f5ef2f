"""Table talk: a question about a small table, answered with numbers, a table and a chart."""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from caravan import App, Chart, Column, Context, Field, Markdown, Table

app = App()

SYSTEM = "Choose what answers the question about this table. Answer with JSON alone."
MEASURES = {
    "total": ("total", "sum", "altogether", "how much", "مجموع"),
    "average": ("average", "mean", "typical", "متوسط"),
    "highest": ("highest", "most", "largest", "maximum", "max", "best", "أعلى"),
    "lowest": ("lowest", "least", "smallest", "minimum", "min", "أدنى"),
    "count": ("how many", "count", "number of", "كم عدد"),
}
MOST_ROWS = 2_000
MOST_BARS = 30
SAMPLE_CHARACTERS = 200


@dataclass(frozen=True)
class Plan:
    """What to work out: one measure of one column, for each value of another or over all rows."""

    measure: str
    column: str
    by: str = ""


@app.action("Ask the table")
def ask(
    ctx: Context,
    *,
    table: Annotated[
        str,
        Field(
            label="Your table",
            description="Copied from a spreadsheet or a CSV file; the first row has the headings.",
            multiline=True,
            max_length=20_000,
            examples=("City,Month,Sales\nAmman,May,120\nPetra,May,80\nAmman,June,150",),
        ),
    ],
    question: Annotated[
        str, Field(label="Your question", max_length=200, examples=("Total sales by city?",))
    ],
) -> Iterator[Markdown | Table | Chart]:
    """Work out totals, averages, extremes and counts, and draw them."""
    rows = rows_of(table)
    if not rows:
        yield Markdown("There is no table yet: paste a row of headings and at least one row.")
        return
    plan = plan_of(question, rows) or asked_plan(ctx, question, rows)
    answers = results(plan, rows)
    what = plan.column if plan.measure == "count" else f"{plan.measure} {plan.column}".lower()
    if not plan.by:
        yield Markdown(f"**{what.capitalize()}: {answers['']:g}**")
        return
    label = what.capitalize()
    yield Table(
        [{"by": name, "value": value} for name, value in answers.items()],
        [Column("by", plan.by), Column("value", label, "number")],
    )
    shown = dict(list(answers.items())[:MOST_BARS])
    yield Chart(list(shown), {label: list(shown.values())}, f"{label} by {plan.by}", "bar")


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows by heading; a tab, a semicolon or a comma stands between cells."""
    head = table.strip().partition("\n")[0]
    separator = max("\t;,", key=head.count)
    reader = csv.DictReader(io.StringIO(table.strip()), delimiter=separator, restval="")
    found = [
        {str(key).strip(): str(cell).strip() for key, cell in row.items() if key} for row in reader
    ]
    return [row for row in found if any(row.values())][:MOST_ROWS]


def number_of(cell: str) -> float | None:
    """A cell as a number: `1,250.50`, `12 %` and `€ 3` are numbers too."""
    bare = re.sub(r"[\s,%$€£]", "", cell)
    try:
        return float(bare)
    except ValueError:
        return None


def numeric(rows: list[dict[str, str]]) -> list[str]:
    """The columns whose cells are numbers, but for empty ones."""
    return [
        name
        for name in rows[0]
        if all(number_of(row[name]) is not None for row in rows if row[name])
    ]


def plan_of(question: str, rows: list[dict[str, str]]) -> Plan | None:
    """The plan of a question that names its columns, found without a model."""
    words = question.casefold()
    measure = next(
        (name for name, signs in MEASURES.items() if any(sign in words for sign in signs)), None
    )
    if measure is None:
        return None
    named = [name for name in rows[0] if name.casefold() in words]
    numbers = [name for name in named if name in numeric(rows)]
    groups = [name for name in named if name not in numbers]
    by = groups[0] if groups else ""
    if measure == "count":
        return Plan("count", "Rows", by)
    candidates = numbers or numeric(rows)
    return Plan(measure, candidates[0], by) if len(candidates) == 1 or numbers else None


def asked_plan(ctx: Context, question: str, rows: list[dict[str, str]]) -> Plan:
    """The plan that the model makes of a freer question; the schema keeps it to this table."""
    names = list(rows[0])
    schema = {
        "type": "object",
        "properties": {
            "measure": {"type": "string", "enum": list(MEASURES)},
            "column": {"type": "string", "enum": numeric(rows) or names},
            "by": {"type": "string", "enum": ["", *names]},
        },
        "required": ["measure", "column", "by"],
        "additionalProperties": False,
    }
    sample = "\n".join(", ".join(row.values())[:SAMPLE_CHARACTERS] for row in rows[:3])
    prompt = f"Headings: {', '.join(names)}\n{sample}\nQuestion: {question}"
    found = json.loads(
        ctx.llm.complete(prompt, system=SYSTEM, max_tokens=80, temperature=0, json_schema=schema)
    )
    return Plan(found["measure"], found["column"], found["by"])


def results(plan: Plan, rows: list[dict[str, str]]) -> dict[str, float | int]:
    """The answer for each group, largest first; over all rows it stands under the empty text."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        value = 1.0 if plan.measure == "count" else number_of(row[plan.column])
        if value is not None:
            groups[row[plan.by] if plan.by else ""].append(value)
    work = {
        "total": sum,
        "count": sum,
        "average": lambda values: sum(values) / len(values),
        "highest": max,
        "lowest": min,
    }[plan.measure]
    answers = {name: shown(work(values)) for name, values in groups.items()} or {"": 0}
    return dict(sorted(answers.items(), key=lambda pair: -pair[1]))


def shown(number: float) -> float | int:
    """A number as people write it: 290, and 2.5 with four decimals at most."""
    return int(number) if float(number).is_integer() else round(number, 4)
