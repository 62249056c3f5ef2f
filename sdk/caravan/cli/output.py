"""How every command speaks: sentences for people, one JSON object for programs, exit codes."""

import json
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import IO, Any, TypeVar

import click

from caravan.findings import BundleRefused, Finding

Function = TypeVar("Function", bound=Callable[..., Any])
MARKS = {"pass": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


class Exit(IntEnum):
    """What a script can tell from the exit code."""

    APP_FAILED = 1
    USAGE = 2
    CHECKS_FAILED = 3
    STORE_REFUSED = 4
    NO_CONNECTION = 5
    NO_SANDBOX = 6
    DIFFERS = 7


def json_option(function: Function) -> Function:
    """`--json`, as the parameter `as_json`."""
    decorate = click.option(
        "--json", "as_json", is_flag=True, help="One JSON object, for programs."
    )
    return decorate(function)


class Failure(click.ClickException):
    """An end with an exit code, a sentence, and what to do."""

    def __init__(self, exit_code: Exit, message: str, *, rule: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance
        self.rule, self.fix = rule, fix
        # The context is gone when click shows the failure.
        context = click.get_current_context(silent=True)
        self.as_json = bool(context and context.params.get("as_json"))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it, on the standard error for people."""
        if self.as_json:
            error = {"rule": self.rule, "message": self.message, "fix": self.fix}
            say_json({"error": error})
            return
        click.secho(self.message, fg="red", err=True)
        if self.fix:
            click.echo(f"  → {self.fix}", err=True)


class Commands(click.Group):
    """The group of all commands; whatever goes wrong in one ends in a `Failure`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises: Failure, or click's own Exit."""
        # A command line that cannot be read has no parameters to look at.
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            failure = _misused(error)
        except click.Abort:
            failure = Failure(
                Exit.USAGE,
                "Nothing was answered.",
                rule="usage.answer",
                fix="Give everything on the command line; --help shows how.",
            )
        except BundleRefused as refused:
            failure = Failure(
                Exit.CHECKS_FAILED,
                refused.message,
                rule=refused.rule,
                fix=refused.findings[0].fix or "See everything that is wrong with: caravan check",
            )
        except OSError as error:
            failure = Failure(
                Exit.USAGE,
                f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.",
                rule="usage.file",
                fix="Name a place that is there and that you may use.",
            )
        failure.as_json = as_json
        raise failure


def _misused(error: click.UsageError) -> Failure:
    name = error.ctx.command_path if error.ctx else "caravan"
    message = error.format_message()
    return Failure(
        Exit.USAGE,
        message if message.endswith((".", "?")) else f"{message}.",
        rule="usage.options",
        fix=f"See what there is with: {name} --help",
    )


def say_json(value: Any) -> None:
    """One JSON object on one line."""
    click.echo(json.dumps(value, ensure_ascii=False))


def say_findings(findings: Sequence[Finding]) -> None:
    """The findings, errors last so that they stay on the screen."""
    for level in ("pass", "warning", "error"):
        for finding in findings:
            if finding.level == level:
                _say_finding(finding)


def _say_finding(finding: Finding) -> None:
    mark, colour = MARKS[finding.level]
    line = f":{finding.line}" if finding.line else ""
    place = f"{finding.file}{line}: " if finding.file else ""
    rule = "" if finding.level == "pass" else click.style(f"  [{finding.rule}]", dim=True)
    click.echo(f"{click.style(mark, fg=colour)} {place}{finding.message}{rule}")
    if finding.fix and finding.level != "pass":
        click.echo(f"    → {finding.fix}")


def count(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`."""
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    return f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
