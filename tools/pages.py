"""Writes the pages for developers that are made from code and tests: `python -m tools.pages`.

docs/commands.md, docs/limits.md, docs/stdlib.md, docs/hostile.md and docs/capabilities/*.md;
`tests/structure` compares them with what this would write.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from caravan import bundle, context, files, llm, results
from caravan.cli import COMMANDS, main
from caravan.cli.output import Exit

from marketplace.catalog.permissions import TABLE as WORDS
from marketplace.runs import items, kv, prompts
from marketplace.runs.settings import HourSettings, RunSettings
from marketplace.sandbox import limits
from marketplace.sandbox.settings import SandboxSettings
from tests.docs import examples
from tests.hostile import further, web
from tests.hostile.attacks import ATTACKS
from tests.hostile.covered import COVERED
from tests.hostile.uploads import UPLOADS
from tests.sandbox import test_stdlib

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = "This page is made by `tools/pages.py` from {what}; a test compares it.\n"
SILENT = (
    "Every command takes `--json` and then prints one JSON object, and none asks anything when "
    "`CARAVAN_STORE` and `CARAVAN_TOKEN` are set.\n"
)
ABOUT_LIMITS = (
    "Past a limit the run ends with the rule `limit.<name>`, and nothing is charged. Output is "
    "what is written for people to read: results, progress, and the log.\n"
)
ABOUT_HOUR = (
    "A run is held to what is left when it begins, and is counted when it ends, whatever ended it. "
    "So runs side by side can pass an hour's end, each by what one run may use.\n"
)
ABOUT_HOSTILE = (
    "{count} cases. Each is uploaded through the public door to a whole store, and what is "
    "published is run by a person. Of each the suite asserts how it ends; that the runs of a "
    "neighbour in the same second are untouched; that its audit log has every call; and that "
    "processes, memory and descriptors are afterwards what they were before.\n"
)
EXITS = {
    0: "done",
    Exit.APP_FAILED: "the app, a test or a sample failed",
    Exit.USAGE: "the command was used wrongly",
    Exit.CHECKS_FAILED: "the checks found an error",
    Exit.STORE_REFUSED: "the store said no, or turned the release down",
    Exit.NO_CONNECTION: "the store did not answer",
    Exit.NO_SANDBOX: "the real sandbox is not installed here",
    Exit.DIFFERS: "a replay did something else than the log",
}
# Page → permissions, example, and the classes and functions whose documentation it shows.
CAPABILITIES: Mapping[str, tuple[str, tuple[str, ...], Any, tuple[Any, ...]]] = {
    "model": (
        "The model",
        ("llm.generate",),
        examples.model,
        (llm.Llm, llm.Chat, llm.Scored, llm.Token),
    ),
    "data": ("Answers as data", ("llm.generate",), examples.data, (llm.Llm.json,)),
    "vectors": ("Vectors", ("llm.embed",), examples.vectors, (llm.Llm.embed,)),
    "storage": ("Storage", ("kv.user", "kv.app"), examples.storage, (context.Store,)),
    "files": ("Files", ("files.read",), examples.files, (files.File,)),
    "web": ("The web", ("net.fetch",), examples.web, (context.Http, context.Response)),
    "settings": ("Settings", ("user.locale",), examples.settings, (context.Settings,)),
    "forms": ("Asking mid-run", (), examples.forms, (results.Form, context.Context.ask)),
    "results": (
        "Results",
        (),
        examples.results,
        (results.Markdown, results.Table, results.Column, results.Chart, results.Image),
    ),
    "money": (
        "Selling, metering, advertising",
        ("billing.entitlement", "billing.meter", "ads.show"),
        examples.money,
        (
            context.Context.require,
            context.Context.entitled,
            context.Context.meter,
            context.Ads,
        ),
    ),
    "progress": (
        "Progress and log",
        (),
        examples.progress,
        (context.Context.progress, context.Log),
    ),
}
CLASSES = {
    "data": (examples.Ticket,),
    "forms": (examples.Guess,),
}


def pages() -> dict[str, str]:
    """Every page by its path under docs/."""
    made = {"commands.md": commands(), "limits.md": limits_page(), "stdlib.md": stdlib()}
    made |= {"hostile.md": hostile()}
    made |= {f"capabilities/{name}.md": capability(name) for name in CAPABILITIES}
    return made


def commands() -> str:
    """The command line."""
    parts = [
        "# The `caravan` command\n",
        MADE.format(what="the command's own help"),
        SILENT,
        "| exit code | meaning |\n| --- | --- |",
        *(f"| {int(code)} | {meaning} |" for code, meaning in EXITS.items()),
        "",
    ]
    for command in COMMANDS:
        info = click.Context(command, parent=click.Context(main, info_name="caravan"))
        doc = inspect.cleandoc(command.help or "")
        text, _, example = doc.partition("Example: ")
        parts += [
            f"## caravan {command.name}\n",
            text.strip(),
            f"\n```sh\n{example.strip()}\n```\n",
        ]
        parts += ["| option | meaning |\n| --- | --- |"]
        for option in command.params:
            record = option.get_help_record(info)
            if record and "--json" not in record[0] and record[1]:
                parts.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
        parts.append("")
    return "\n".join(parts)


def limits_page() -> str:
    """What one run and one hour may use."""
    box, runs = SandboxSettings(), RunSettings()
    ceilings = [
        ("Time", "wall_s", box.wall_ms / 1000, box.wall_ceiling_ms / 1000, "s"),
        ("Computing", "cpu_ms", box.cpu_ms, box.cpu_ceiling_ms, "ms"),
        ("Memory", "memory_mb", box.memory_bytes / 2**20, box.memory_ceiling_bytes / 2**20, "MiB"),
        ("Output", "output_kb", box.output_bytes / 1024, box.output_ceiling_bytes / 1024, "KiB"),
        ("Calls to the store", "host_calls", box.host_calls, box.host_calls_ceiling, ""),
    ]
    fixed = [
        ("One call to the store, or its answer", f"{limits.PAYLOAD_BYTES // 1024} KiB of JSON"),
        ("Messages of a prompt", prompts.MAX_MESSAGES),
        ("Characters of a prompt", prompts.MAX_PROMPT_CHARS),
        ("Texts made into vectors at once", prompts.MAX_TEXTS),
        ("Key of a kept value", f"{kv.MAX_KEY_CHARS} characters"),
        ("One kept value", f"{kv.MAX_VALUE_BYTES // 1024} KiB"),
        ("Kept values of one person, or shared", f"{kv.MAX_TOTAL_BYTES // 1024} KiB"),
        ("Kept keys of one person, or shared", kv.MAX_KEYS),
        ("Table", f"{items.MAX_COLUMNS} columns, {items.MAX_ROWS} rows"),
        ("Chart", f"{items.MAX_SERIES} series, {items.MAX_POINTS} places"),
        ("Picture", f"{results.MAX_IMAGE_BYTES // 1000} KB"),
        ("Bundle", f"{bundle.MAX_BUNDLE_BYTES // 2**20} MiB, {bundle.MAX_FILES} files"),
    ]
    hour = [
        (str(info.description), getattr(HourSettings(), name))
        for name, info in HourSettings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Limits\n",
            MADE.format(
                what="the store's settings as they are shipped; an operator may change them"
            ),
            ABOUT_LIMITS,
            "## One run\n",
            "| what | key of `[limits]` | usual | most |\n| --- | --- | --- | --- |",
            *(
                f"| {label} | `{key}` | {_n(usual)} {unit} | {_n(most)} {unit} |"
                for label, key, usual, most, unit in ceilings
            ),
            f"| Tokens generated | `llm_tokens` | 2,048 | {_n(runs.max_llm_tokens)} |",
            f"| Values kept, in bytes | | | {_n(runs.kv_write_bytes)} |",
            f"| Web requests, with redirects | | | {_n(runs.egress_requests)} |",
            "\n## Always\n",
            "| what | at most |\n| --- | --- |",
            *(f"| {label} | {_n(value)} |" for label, value in fixed),
            "\n## A person's hour, over all apps\n",
            f"All people of one app together have {runs.app_times} times as much.\n",
            ABOUT_HOUR,
            "| what | in an hour |\n| --- | --- |",
            *(f"| {label} | {_n(value)} |" for label, value in hour),
            "",
        ]
    )


def _n(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}"


def stdlib() -> str:
    """What of Python's library works in the sandbox."""
    table: dict[str, Any] = {}
    source = test_stdlib.TABLE.split("def load")[0]
    exec(compile(source, "stdlib.py", "exec"), {"__name__": "table"}, table)
    modules = sorted({*table["MODULES"], *table["PACKAGES"]})
    shown = ", ".join(f"`{name}`" for name in modules if not name.startswith("_"))
    works = [f"| `{_plain(code)}` | `{value!r}` |" for code, value in test_stdlib.WORKS.items()]
    refuses = [f"| `{_plain(code)}` | `{name}` |" for code, name in test_stdlib.REFUSES.items()]
    return "\n".join(
        [
            "# Python's library in the sandbox\n",
            MADE.format(
                what="`tests/sandbox/test_stdlib.py`, which runs every line in the sandbox"
            ),
            "The runtime is CPython with these modules, and those below a package: "
            + shown
            + ".\n",
            "## What works\n",
            "| expression | is |\n| --- | --- |",
            *works,
            "\n## What is refused\n",
            "An ordinary exception, which an app can catch.\n",
            "| expression | raises |\n| --- | --- |",
            *refuses,
            "",
        ]
    )


def hostile() -> str:
    """What hostile apps try, and how each ends."""
    cases = [
        *((name, "when it is uploaded", {rule}) for name, (rule, _) in UPLOADS.items()),
        *((name, "when it runs", rules) for name, (_, rules) in ATTACKS.items()),
        *((name, "when it runs", rules) for name, (_, rules) in further.FURTHER.items()),
        *((name, "when it runs", rules) for name, (_, rules) in further.COMPONENTS.items()),
        *((name, "when it asks for it", {rule}) for name, (_, rule) in web.REQUESTS.items()),
    ]
    lines = [
        f"| {number} | {line} | {'; '.join(_shown(each) for each in shown)} |"
        for number, (line, shown) in enumerate(COVERED, 1)
    ]
    ends = [
        f"| {_cell(name)} | {when} | {' or '.join(f'`{rule}`' for rule in sorted(rules))} |"
        for name, when, rules in cases
    ]
    return "\n".join(
        [
            "# Hostile apps\n",
            MADE.format(what="`tests/hostile`"),
            ABOUT_HOSTILE.format(count=len(cases)),
            "## What is tried\n",
            "| | what | shown by |\n| --- | --- | --- |",
            *lines,
            "\n## How each case ends\n",
            "| case | is ended | by the rule |\n| --- | --- | --- |",
            *ends,
            "",
        ]
    )


def _shown(name: str) -> str:
    """A case in words, or a test by its file and name."""
    file, _, test = name.partition("::")
    return f"`{file}`: {test.removeprefix('test_').replace('_', ' ')}" if test else name


def _plain(code: str) -> str:
    """`__import__('json').loads` as `json.loads`, and a bar that does not end a cell."""
    plain = re.sub(r"__import__\('([a-z_]+)[a-zA-Z_.]*'\)", r"\1", code)
    return _cell(plain)


def _cell(text: str) -> str:
    """A text whose bars do not end a table's cell."""
    return text.replace("|", "\\|")


def capability(name: str) -> str:
    """One thing an app can do: how it is allowed, an example, and what there is."""
    title, permissions, example, parts = CAPABILITIES[name]
    shown = [
        *(inspect.getsource(each) for each in CLASSES.get(name, ())),
        inspect.getsource(example),
    ]
    lines = [f"# {title}\n", f"{inspect.cleandoc(example.__doc__)}\n"]
    code = "\n\n\n".join(each.rstrip() for each in shown)
    lines += [f"```python\n{code}\n```\n"]
    if permissions:
        lines += ["## Permission\n", "| name | what people read |\n| --- | --- |"]
        lines += [f"| `{each}` | {WORDS[each].sentence} |" for each in permissions]
        lines += [""]
    lines += ["## What there is\n", *(text for part in parts for text in _described(part))]
    made = MADE.format(what="the SDK and `tests/docs/examples.py`, which is run")
    return "\n".join([*lines, f"---\n{made}"])


def _described(part: Any) -> Iterator[str]:
    if not isinstance(part, type):
        yield _entry(
            part.__qualname__.replace("Context.", "ctx.").replace("Llm.", "ctx.llm."), part
        )
        return
    yield f"### {part.__name__}\n\n{_prose(part.__doc__)}\n"
    for name, method in vars(part).items():
        function = method.fget if isinstance(method, property) else method
        if not name.startswith("_") and inspect.isfunction(function) and function.__doc__:
            yield _entry(name, function)


def _entry(name: str, function: Any) -> str:
    words = [each for each in inspect.signature(function).parameters if each != "self"]
    return f"**`{name}({', '.join(words)})`** {_prose(function.__doc__)}\n"


def _prose(doc: str | None) -> str:
    """A docstring whose arguments are a list."""
    text = inspect.cleandoc(doc or "")
    text = re.sub(r"\n {8}(\S)", r" \1", text)
    text = re.sub(r"\n {4}([a-z_, ]+): ", lambda found: f"\n- `{found[1]}`: ", text)
    return text.replace("\nArgs:\n", "\n").replace("\nRaises:", "\n\nRaises:")


if __name__ == "__main__":
    for path, text in pages().items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(text)
    print(f"Wrote {len(pages())} pages.")
