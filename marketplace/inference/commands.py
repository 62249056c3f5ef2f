"""`marketplace models`: the operator adds, lists and chooses language models."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click

from marketplace.inference import additions
from marketplace.inference.additions import Licence
from marketplace.inference.devices import gibibytes
from marketplace.inference.registry import Registry
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError

SHOW_EVERY_S = 0.5


class Folders(Protocol):
    """What the command line hands down as its context object."""

    data_dir: Path
    demo_model: Path


@click.group()
def models() -> None:
    """The language models of this store."""


@models.command()
@click.argument("source")
@click.option("--sha256", help="Refuse the file unless it has this checksum (hex).")
@click.option("--accept-licence", is_flag=True, help="Accept the model's licence unasked.")
@click.option("--use/--no-use", default=True, help="Choose the model after adding it.")
@click.pass_context
def add(
    context: click.Context, source: str, *, sha256: str | None, accept_licence: bool, use: bool
) -> None:
    """Add a GGUF model.

    SOURCE is a file on this machine, an https address, or hf:owner/repository/file.gguf.
    """

    def accept(licence: Licence) -> bool:
        click.echo(f"{licence.model} comes under the licence {licence.name}. {licence.link}")
        return accept_licence or click.confirm("Do you accept this licence?")

    registry = _registry(context)
    model = _do(
        lambda: additions.add(
            registry, source, now=utc_now(), accept=accept, progress=_progress(), sha256=sha256
        )
    )
    click.echo(f"Added {model.name} ({model.title}, {gibibytes(model.size_bytes)}).")
    if use:
        _do(lambda: registry.use(model.name))
        click.echo("It is served from the engine's next start.")


@models.command(name="list")
@click.pass_context
def list_models(context: click.Context) -> None:
    """List the models there are; the chosen one is marked with a star."""
    registry = _registry(context)
    found = _do(registry.models)
    chosen = _do(registry.chosen)
    if not found:
        click.echo("There are no models yet. Add one with `marketplace models add`.")
    for model in found:
        mark = "*" if chosen is not None and model.name == chosen.name else " "
        licence = model.licence or "no licence stated"
        click.echo(
            f"{mark} {model.name}  {model.title}  {gibibytes(model.size_bytes)}  "
            f"{licence}  {model.source}"
        )


@models.command()
@click.argument("name")
@click.pass_context
def use(context: click.Context, name: str) -> None:
    """Choose the model to serve from the engine's next start."""
    registry = _registry(context)
    model = _do(lambda: registry.use(name))
    click.echo(f"{model.name} is served from the engine's next start.")


def _registry(context: click.Context) -> Registry:
    folders: Folders = context.obj
    return Registry(folders.data_dir / "models", folders.demo_model)


def _do(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except CaravanError as error:
        raise click.ClickException(error.message) from error


def _progress() -> Callable[[int, int | None], None]:
    shown_at = 0.0

    def show(done: int, total: int | None) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if done != total and now - shown_at < SHOW_EVERY_S:
            return
        shown_at = now
        of_all = f" of {gibibytes(total)} ({done * 100 // total} %)" if total else ""
        click.echo(f"\r{gibibytes(done)}{of_all}", nl=done == total, err=True)

    return show
