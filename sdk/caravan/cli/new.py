"""`caravan new`: a folder with an app that passes every check."""

import getpass
import re
from pathlib import Path
from string import Template

import click

from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.house import house

TEMPLATES = Path(__file__).parent / "templates"
WORLD = "caravan-app.wit"


@click.command()
@click.argument("name")
@click.option(
    "--template",
    type=click.Choice(sorted(path.name for path in TEMPLATES.iterdir())),
    default="text",
    show_default=True,
    help="What the app begins as.",
)
@click.option("--maker", help="The first part of the app's id.  [default: your user name]")
@json_option
def new(*, name: str, template: str, maker: str | None, as_json: bool) -> None:
    """Make a folder NAME with an app that runs, is tested and passes every check.

    Templates: text (a form and a streamed answer), chat (a conversation that is kept), table (rows
    and files in, tables and charts out), vision (a picture in words), javascript (a component).

    Example: caravan new word-garden --maker amina
    """
    slug = slug_of(Path(name).name)
    folder = Path(name).parent / slug
    if folder.exists():
        raise Failure(
            Exit.USAGE,
            f"{folder} is there already.",
            rule="new.exists",
            fix="Choose another name, or remove that folder first.",
        )
    words = {
        "ident": f"{slug_of(maker or getpass.getuser())}.{slug}",
        "name": slug.replace("-", " ").capitalize(),
    }
    write(TEMPLATES / template, folder, words)
    is_component = template == "javascript"
    if is_component:
        world = house("sdk/runtime/wit") / WORLD
        (folder / "build").mkdir()
        (folder / "build" / WORLD).write_bytes(world.read_bytes())
    if as_json:
        say_json({"folder": str(folder), "id": words["ident"]})
        return
    build = "  npm install && npm run build\n" if is_component else ""
    click.echo(f"Made {folder}. Now:\n\n  cd {folder}\n{build}  caravan dev\n")


def slug_of(text: str) -> str:
    """A text as one part of an id: `Word Garden!` gives `word-garden`. Raises: Failure."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].rstrip("-")
    if not re.match(r"[a-z][a-z0-9-]", slug):
        raise Failure(
            Exit.USAGE,
            f"“{text}” cannot become an id.",
            rule="new.name",
            fix="Begin with a letter and use at least two: caravan new word-garden",
        )
    return slug


def write(template: Path, folder: Path, words: dict[str, str]) -> None:
    """Copy a template, with its $words put in."""
    for source in sorted(template.rglob("*")):
        if source.is_dir():
            continue
        name = str(source.relative_to(template)).removesuffix(".template")
        target = folder / (".gitignore" if name == "gitignore" else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text(encoding="utf-8")).safe_substitute(words)
        target.write_text(text, encoding="utf-8")
