"""`marketplace models`: the operator adds, lists and chooses language models."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click

from marketplace.inference import additions
from marketplace.inference.additions import Licence
from marketplace.inference.choice import DEFAULT, ROLES, VISION
from marketplace.inference.devices import as_memory
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
@click.option("--projector", help="GGUF that lets the model see pictures; named like SOURCE.")
@click.option("--use/--no-use", default=True, help="Choose the model after adding it.")
@click.pass_context
def add(
    context: click.Context,
    source: str,
    *,
    sha256: str | None,
    accept_licence: bool,
    projector: str | None,
    use: bool,
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
            registry,
            source,
            now=utc_now(),
            accept=accept,
            progress=_progress(),
            sha256=sha256,
            projector=projector,
        )
    )
    click.echo(f"Added {model.name} ({model.title}, {as_memory(model.size_bytes)}).")
    if use:
        _do(lambda: registry.use(model.name))
        click.echo("It is the default from now on.")
    if use and model.projector:
        _do(lambda: registry.use(model.name, VISION))
        click.echo("It sees pictures for the apps that need it.")


@models.command(name="list")
@click.pass_context
def list_models(context: click.Context) -> None:
    """List the models there are and their roles; the default one is marked with a star."""
    registry = _registry(context)
    found = _do(registry.models)
    roles = _do(registry.roles)
    if not found:
        click.echo("There are no models yet. Add one with `marketplace models add`.")
    for model in found:
        mark = "*" if model.name == roles.get(DEFAULT) else " "
        its = ", ".join(role for role, name in roles.items() if name == model.name) or "unused"
        licence = model.licence or "no licence stated"
        click.echo(
            f"{mark} {model.name}  {model.title}  {as_memory(model.size_bytes)}  "
            f"{its}  {licence}  {model.source}"
        )


@models.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=DEFAULT,
    help="default answers; small answers what needs little; embed makes vectors; vision sees.",
)
@click.pass_context
def use(context: click.Context, name: str, role: str) -> None:
    """Give a model a role; the store takes it up within seconds."""
    registry = _registry(context)
    model = _do(lambda: registry.use(name, role))
    click.echo(f"{model.name} has the role {role} from now on.")


@models.command()
@click.argument("role", type=click.Choice(ROLES))
@click.pass_context
def clear(context: click.Context, role: str) -> None:
    """Take a role away from the model that has it."""
    registry = _registry(context)
    _do(lambda: registry.clear(role))
    held = _do(registry.roles).get(role)
    click.echo(f"The role {role} is {held}'s from now on." if held else f"Nobody is {role} now.")


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
        of_all = f" of {as_memory(total)} ({done * 100 // total} %)" if total else ""
        click.echo(f"\r{as_memory(done)}{of_all}", nl=done == total, err=True)

    return show
