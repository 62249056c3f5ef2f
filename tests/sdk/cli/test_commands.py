"""Every command keeps the house rules: an example, --json, and an exit code that is documented."""

import click
import pytest
from caravan.cli import COMMANDS, main
from caravan.cli.output import Exit

COMMAND_NAMES = [str(command.name) for command in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=COMMAND_NAMES)
def test_every_command_has_an_example_and_json(command: click.Command) -> None:
    assert f"Example: caravan {command.name}" in (command.help or "")
    assert "--json" in {name for each in command.params for name in each.opts}
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in {"path", "as_json"}:
            assert option.help, f"--{option.name} of {command.name} needs a help text"


def test_every_exit_code_is_in_the_help() -> None:
    codes = [int(code) for code in Exit]
    assert codes == sorted(set(codes)), "no two ends have the same code"
    for code in codes:
        assert f"{code} " in (main.help or "").partition("Exit codes:")[2]
