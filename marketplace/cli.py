"""The operator's command, `marketplace`."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType

import click
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from marketplace import app as composition
from marketplace import processes
from marketplace import settings as settings_module
from marketplace.accounts import service as accounts
from marketplace.admin import doctor as doctor_module
from marketplace.admin.seeding import planting
from marketplace.catalog import editorial
from marketplace.infra import log, migrations
from marketplace.infra.db import Database, is_disk_full
from marketplace.infra.supervise import FORK, Supervisor
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError, Forbidden
from marketplace.publishing import shipped
from marketplace.runs import rehearsal
from marketplace.sandbox import builder
from marketplace.settings import ROOT, Settings, Stage
from marketplace.web.server import Server

READY_TIMEOUT_S = 60


class RealStore(Forbidden):
    """Made-up apps were to be put among real ones."""


@click.group(help="Runs and looks after a Caravan store.")
@click.version_option("0.1.0", prog_name="Caravan")
@click.pass_context
def cli(context: click.Context) -> None:
    """Read the settings once for every command."""
    settings = Settings()
    log.configure(as_json=settings.stage is Stage.PRODUCTION)
    context.obj = settings


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    yield stop


@cli.command()
@click.option("--port", type=int, help="TCP port, instead of the setting.")
@click.pass_obj
def serve(settings: Settings, port: int | None) -> None:
    """Start the whole store: engine, runners, worker and web. Ctrl-C stops all of it.

    Example: marketplace serve --port 8080
    """
    if port is not None:
        web = settings.web.model_copy(update={"port": port})
        settings = settings.model_copy(update={"web": web})
    settings.folder.mkdir(parents=True, exist_ok=True)
    settings.signing_key()
    click.echo("caravan: bringing the database up to date")
    database = Database(settings.database_address())
    migrations.upgrade(database)
    builder.ensure_runtime(settings.cache_dir(), say=lambda text: click.echo(f"caravan: {text}"))
    with database.writing() as session:
        names = shipped.submit_all(
            session, ROOT / "plugins", composition.blobs(settings), now=utc_now()
        )
        # Once somebody runs the store, its collections are theirs: a deleted one stays away.
        if not accounts.has_operator(session):
            editorial.open_with(session, ROOT / "plugins" / "collections.toml", now=utc_now())
    if names:
        click.echo(f"caravan: publishing {', '.join(names)}")
    database.close()
    with stopping() as stop:
        herald = FORK.Process(target=_announce, args=(settings, names), daemon=True)
        herald.start()
        is_computed_here = not settings.inference.upstream.url
        engine = {"engine": processes.engine_command(settings)} if is_computed_here else {}
        Supervisor(
            {
                **engine,
                "runners": processes.runners_command(settings),
                "worker": partial(_work, settings),
                "web": partial(_serve_pages, settings),
            }
        ).run(stop)
    click.echo("caravan: the store is closed")


def _announce(settings: Settings, submitted: list[str]) -> None:
    """Print the address once the store answers, and the link for its first operator.

    Apps that were submitted just now are waited for, so that the first page is not empty.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    database = Database(settings.database_address())

    def is_ready() -> bool:
        with database.reading() as session:
            return shipped.are_checked(session, submitted) and processes.answers(settings)

    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_ready():
        if time.monotonic() > deadline:
            click.echo("caravan: the store does not answer yet; its log above says why")
            return
        time.sleep(0.05)
    click.echo(f"\n  The store is open:  {settings.web.address}\n")
    with database.writing() as session:
        secret = accounts.first_setup_secret(session, now=utc_now())
    if secret:
        click.echo("  Make yourself its operator with this link; it works once:")
        click.echo(f"  {settings.web.address}/accounts/setup/{secret}\n")
    click.echo("  Ctrl-C closes it.\n")


def _serve_pages(settings: Settings) -> None:
    Server(settings.web, lambda: composition.create_app(settings)).run()


def _work(settings: Settings) -> None:
    database = Database(settings.database_address())
    clock = composition.clock(settings, database)
    stage = composition.stage(settings, database)
    with stopping() as stop:
        checks, others = composition.workers(settings, database)
        beside = [
            threading.Thread(target=clock.run, args=(stop,), name="clock"),
            threading.Thread(target=checks.run, args=(stop,), name="checks"),
        ]
        if settings.runs.measures:
            measuring = threading.Thread(
                target=rehearsal.keep_measuring, args=(stage, stop), name="rehearsals"
            )
            beside.append(measuring)
        for thread in beside:
            thread.start()
        others.run(stop)
        for thread in beside:
            thread.join()
    database.close()


@cli.command()
@click.pass_obj
def web(settings: Settings) -> None:
    """Serve pages; `serve` starts this for you."""
    _serve_pages(settings)


@cli.command()
@click.pass_obj
def worker(settings: Settings) -> None:
    """Do the jobs of the queue; `serve` starts this for you."""
    _work(settings)


@cli.command()
@click.pass_obj
def engine(settings: Settings) -> None:
    """Run the shared model; `serve` starts this for you."""
    if settings.inference.upstream.url:
        raise click.ClickException(
            "Other machines compute: CARAVAN_INFERENCE__UPSTREAM__URL is set. Unset it to run "
            "the model here."
        )
    processes.become(processes.engine_command(settings))


@cli.command()
@click.pass_obj
def runners(settings: Settings) -> None:
    """Run apps in the sandbox; `serve` starts this for you."""
    processes.become(processes.runners_command(settings))


@cli.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the newest revision."""
    database = Database(settings.database_address())
    migrations.upgrade(database)
    click.echo(f"The database is at {migrations.current(database)}.")


@cli.command("setup-link")
@click.pass_obj
def setup_link(settings: Settings) -> None:
    """Print a new one-time link that makes an operator; older links stop working."""
    database = Database(settings.database_address())
    with database.writing() as session:
        secret = accounts.new_setup_link(session, now=utc_now())
    click.echo(f"{settings.web.address}/accounts/setup/{secret}")


@cli.command()
@click.option("--apps", type=click.IntRange(1), default=500, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another one, other apps.")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day up to which the catalogue's life is told; today, when not given.",
)
@click.pass_obj
def seed(settings: Settings, apps: int, seed: int, today: datetime | None) -> None:
    """Fill a store with made-up apps, people, runs and ratings, to show and to measure it.

    Example: marketplace seed --apps 10000
    """
    if settings.stage is Stage.PRODUCTION:
        raise RealStore("A production store is not filled with made-up apps; use another one.")
    database = Database(settings.database_address())
    migrations.upgrade(database)
    day = (today or utc_now()).date()
    planting.plant(database, apps, seed=seed, today=day, say=click.echo)
    database.close()


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def doctor(settings: Settings, as_json: bool) -> None:  # noqa: FBT001  (click passes it by name)
    """Check everything the store needs, and say what to do about what is missing."""
    findings = doctor_module.examine(composition.patient(settings))
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = {"good": "✓", "warn": "!", "bad": "✗"}[finding.level]
            click.echo(f"{mark} {finding.subject}: {finding.message}")
    sys.exit(any(finding.level == "bad" for finding in findings))


@cli.command("settings")
@click.option("--check", is_flag=True, help="Only say whether docs/settings.md is current.")
def settings_page(check: bool) -> None:  # noqa: FBT001  (click passes it by name)
    """Write docs/settings.md from the code."""
    page = ROOT / "docs" / "settings.md"
    text = settings_module.as_markdown()
    if check:
        sys.exit(page.read_text() != text)
    page.write_text(text)


class RegistryPlace:
    """What the `models` commands work on."""

    def __init__(self, settings: Settings) -> None:
        self.data_dir: Path = settings.folder
        self.demo_model: Path = settings.demo_model


class ModelsGroup(click.Group):
    """The commands of the model registry, whose libraries are read when one is asked for.

    Reading a GGUF and downloading one take libraries that no part of an open store needs.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, or None."""
        return self._found().get(cmd_name)

    def _found(self) -> dict[str, click.Command]:
        room = import_module("marketplace.inference.commands")
        found: dict[str, click.Command] = room.models.commands
        return found


@cli.group("models", cls=ModelsGroup, help="Add, list and choose the models apps run on.")
@click.pass_context
def models_group(context: click.Context) -> None:
    """Hand the registry its folders."""
    context.obj = RegistryPlace(context.obj)


def main() -> None:
    """Run the command; what goes wrong in an expected way is one sentence, not a traceback."""
    try:
        cli.main(prog_name="marketplace")
    except CaravanError as error:
        click.echo(f"marketplace: {error.message}", err=True)
        sys.exit(1)
    except (OSError, OperationalError) as error:
        if is_disk_full(error):
            text = "The store's disk is full. Make room on it and run the same command again."
        elif isinstance(error, OperationalError):
            text = f"The database cannot be used: {str(error.orig).strip()}"
        else:
            raise
        click.echo(f"marketplace: {text}", err=True)
        sys.exit(1)
    except ValidationError as error:
        for problem in error.errors():
            variable = settings_module.PREFIX + "__".join(map(str, problem["loc"])).upper()
            click.echo(f"marketplace: {variable}: {problem['msg']}.", err=True)
        sys.exit(1)
