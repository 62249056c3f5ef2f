"""The developer's command: `caravan new | dev | run | check | build | login | publish`."""

import click

from caravan.cli.account import login, logout, whoami
from caravan.cli.build import build
from caravan.cli.check import check
from caravan.cli.dev import dev
from caravan.cli.new import new
from caravan.cli.publish import publish
from caravan.cli.replay import replay
from caravan.cli.run import run
from caravan.cli.test import test


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caravan-sdk")
def main() -> None:
    """Write, check and publish apps for a Caravan store.

    Start with: caravan new word-garden

    Exit codes: 0 done, 1 the app failed, 2 wrong use, 3 checks failed, 4 the store refused,
    5 no connection.
    """


for command in (new, dev, run, test, replay, check, build, login, logout, whoami, publish):
    main.add_command(command)

__all__ = ["main"]
