"""`caravan run`: one run in the terminal, with a pretended store."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.project import absent, app_of, failed, manifest_of, settings_of, values_of
from caravan.errors import CaravanError, InvalidInput, UnknownAction
from caravan.testing import DEFAULT_ANSWER, Result, Simulator
from caravan.workbench import NoSandbox


@click.command()
@click.argument("action")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path()
)
@click.option("--answer", multiple=True, help="What the pretended model says; may be repeated.")
@click.option(
    "--reply", multiple=True, help="What the person says to a form, as JSON; may be repeated."
)
@click.option("--own", multiple=True, help="A product the person has bought; may be repeated.")
@click.option("--locale", default="en", show_default=True, help="The person's language.")
@json_option
def run(
    *,
    action: str,
    values: tuple[str, ...],
    path: Path,
    answer: tuple[str, ...],
    reply: tuple[str, ...],
    own: tuple[str, ...],
    locale: str,
    as_json: bool,
) -> None:
    """Run ACTION of the app here once, with a pretended model and the manifest's permissions.

    A field of a group is place.city=Fes, one of a table rows.0.city=Fes, and a file notes=@a.txt.
    A form in the middle of the run has one --reply after the other: --reply '{"number": 7}'.

    Example: caravan run shorten text="A long text" sentences=1 --answer "Short."
    """
    manifest = manifest_of(path)
    pairs = [_pair(value) for value in values]
    app = app_of(path, manifest)
    try:
        found = app.actions.get(action)
        given = values_of(pairs, found.input_schema) if found else {}
        result = Simulator(
            app,
            llm=[[each] for each in answer] or DEFAULT_ANSWER,
            entitlements=own,
            permissions=manifest.permissions,
            settings=settings_of(manifest),
            answers=[_reply(each) for each in reply],
            locale=locale,
        ).run(action, **given)
    except (InvalidInput, UnknownAction) as error:
        fix = "See what the action takes on its page: caravan dev"
        raise Failure(Exit.USAGE, str(error), rule=error.code, fix=fix) from None
    except NoSandbox as error:
        raise absent(error) from None
    except CaravanError as error:
        raise Failure(
            Exit.APP_FAILED,
            str(error),
            rule=error.code,
            fix="The store would end the run so too; an app may catch a HostError and go on.",
        ) from None
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001  (an app may raise anything)
        raise failed(error, path) from None
    _say(result, as_json=as_json)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Failure(
            Exit.USAGE,
            f"“{text}” is not an input.",
            rule="run.input",
            fix='Write key=value, such as text="A long text".',
        )
    return key, value


def _reply(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failure(
            Exit.USAGE,
            f"“{text}” is no answer to a form.",
            rule="run.reply",
            fix="""Write the form's fields as a JSON object, such as --reply '{"number": 7}'.""",
        )
    return found


def _say(result: Result, *, as_json: bool) -> None:
    if as_json:
        calls = [{"op": call.op, "payload": call.payload} for call in result.host_calls]
        noted = {"log": list(result.log), "meters": dict(result.meters)}
        say_json({"text": result.text, "items": list(result.items), "host_calls": calls, **noted})
        return
    for item in result.items:
        match item["kind"]:
            case "text":
                click.echo(item["text"], nl=False)
            case "slot":
                click.secho(f"\n[advertisement: {item['name']}]", dim=True)
            case "json":
                say_json(item["value"])
            case _:
                _say_drawn(item)
    click.echo()


def _say_drawn(item: Mapping[str, Any]) -> None:
    """A table or a chart as columns of text; of a picture what it shows."""
    if item["kind"] == "image":
        click.secho(f"\n[picture: {item['alt']}]", dim=True)
        return
    if item["kind"] == "table":
        heads = [column["label"] for column in item["columns"]]
        rows = item["rows"]
    else:
        heads = ["", *(series["name"] for series in item["series"])]
        rows = list(zip(item["x"], *(series["values"] for series in item["series"]), strict=True))
    lines = [heads, *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    click.echo()
    for line in lines:
        click.echo(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "—" if value is None else str(value)
