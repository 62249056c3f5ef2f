"""`caravan check`: what a store would say."""

from pathlib import Path

import click

from caravan.checks import check_bytes, check_folder, is_publishable
from caravan.cli.output import Exit, count, json_option, say_findings, say_json
from caravan.cli.project import folder_argument
from caravan.findings import Finding


def findings_of(path: Path) -> list[Finding]:
    """The findings of a folder or of a built bundle."""
    return check_folder(path) if path.is_dir() else check_bytes(path.read_bytes)


@click.command()
@folder_argument
@json_option
def check(*, path: Path, as_json: bool) -> None:
    """Say what a store would say about the app in PATH (a folder or a .caravan file).

    Example: caravan check word-garden
    """
    findings = findings_of(path)
    if as_json:
        everything = [finding.to_json() for finding in findings]
        say_json({"publishable": is_publishable(findings), "checks": everything})
    else:
        say_findings(findings)
        ready = is_publishable(findings)
        click.echo("Ready to publish." if ready else f"Not ready: {count(findings)}.")
    if not is_publishable(findings):
        click.get_current_context().exit(Exit.CHECKS_FAILED)
