"""The developer's command: from `caravan new` to a published app and its logs."""

import click

from caravan.cli.account import login, logout, whoami
from caravan.cli.build import build
from caravan.cli.check import check
from caravan.cli.dev import dev
from caravan.cli.evals import evaluate
from caravan.cli.new import new
from caravan.cli.output import Commands
from caravan.cli.publish import publish
from caravan.cli.replay import replay
from caravan.cli.run import run
from caravan.cli.status import logs, status
from caravan.cli.test import test


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caravan-sdk")
def main() -> None:
    """Write, check and publish apps for a Caravan store.

    Example: caravan new word-garden

    Exit codes: 0 done, 1 the app failed, 2 wrong use, 3 checks failed, 4 the store refused,
    5 no connection, 6 no sandbox here, 7 a replay differs.
    """


COMMANDS = (
    *(new, dev, run, test, evaluate, replay, check, build),
    *(login, logout, whoami, publish, status, logs),
)
for command in COMMANDS:
    main.add_command(command)

__all__ = ["main"]
