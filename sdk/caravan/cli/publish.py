"""`caravan publish`: check, upload, and wait for the verdict."""

import time
from pathlib import Path
from typing import Any

import click

from caravan import bundle
from caravan.checks import check, is_publishable
from caravan.cli.build import built
from caravan.cli.check import findings_of
from caravan.cli.output import Exit, Failure, count, json_option, say_findings, say_json
from caravan.cli.project import folder_argument
from caravan.cli.store import Store, store_of, store_options
from caravan.findings import Finding

POLL_S = 1.0
# States in which the store is still at work; every other one is a verdict, or waits for a human.
WORKING = frozenset({"uploaded", "draft", "queued", "checking", "building"})
REFUSED = frozenset({"rejected", "refused", "failed"})


@click.command()
@folder_argument
@store_options
@click.option(
    "--channel",
    type=click.Choice(["stable", "beta"]),
    default="stable",
    show_default=True,
    help="Who gets it: everybody, or those who ask for beta versions on the app's page.",
)
@click.option("--dry-run", is_flag=True, help="Do everything but the upload.")
@click.option("--wait", is_flag=True, help="Wait until the store has checked it.")
@click.option("--timeout", default=300, show_default=True, help="The longest wait, in seconds.")
@json_option
def publish(
    *,
    path: Path,
    store: str | None,
    token: str | None,
    channel: str,
    dry_run: bool,
    wait: bool,
    timeout: int,
    as_json: bool,
) -> None:
    """Check the app in PATH and hand it in to a store.

    A beta version becomes the one for everybody when the same bundle is published once more,
    without --channel beta.

    Example: caravan publish --store https://store.example.com --wait
    """
    data = _checked(path, as_json=as_json)
    opened = bundle.open_bundle(data)
    name = opened.manifest.bundle_name
    if dry_run:
        report = {
            "bundle": name,
            "bytes": len(data),
            "sha256": opened.sha256,
            "channel": channel,
            "dry_run": True,
        }
        if as_json:
            say_json({**report, "checks": [each.to_json() for each in check(opened)]})
        else:
            click.echo(f"{name} is ready for the {channel} channel; nothing was uploaded.")
        return
    target = store_of(store, token)
    release = target.call(
        "POST", "/api/v1/releases", data={"channel": channel}, files={"bundle": (name, data)}
    )
    is_going_on = release["state"] in WORKING
    if not as_json:
        what = "the store checks it now" if is_going_on else "it was checked as beta and is stable"
        click.echo(f"Uploaded {name}; {what}: {_link(target, release)}")
    verdict = _await(target, str(release["release"]), timeout) if wait else None
    _end(release, verdict, as_json=as_json)


def _checked(path: Path, *, as_json: bool) -> bytes:
    findings = findings_of(path)
    if is_publishable(findings):
        if not as_json:
            say_findings([each for each in findings if each.level == "warning"])
        return built(path) if path.is_dir() else path.read_bytes()
    if as_json:
        say_json({"publishable": False, "checks": [each.to_json() for each in findings]})
    else:
        say_findings(findings)
        click.echo(f"Not uploaded: {count(findings)}.")
    raise click.exceptions.Exit(Exit.CHECKS_FAILED)


def _await(store: Store, release: str, timeout_s: int) -> dict[str, Any]:
    """Ask until the store has a verdict. Raises: Failure when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = store.call("GET", f"/api/v1/releases/{release}")
        if answer["state"] not in WORKING:
            return answer
        if time.monotonic() > deadline:
            raise Failure(
                Exit.STORE_REFUSED,
                f"The store is still at it after {timeout_s} s ({answer['state']}).",
                rule="publish.timeout",
                fix="Look at the release's page in the portal, or wait longer with --timeout.",
            )
        time.sleep(POLL_S)


def _end(release: dict[str, Any], verdict: dict[str, Any] | None, *, as_json: bool) -> None:
    state = (verdict or release).get("state")
    if as_json:
        say_json({**release, **(verdict or {})})
    elif verdict:
        say_findings([finding_of(each) for each in verdict.get("checks", [])])
        click.echo(f"The release is {str(state).replace('_', ' ')}.")
    if state in REFUSED:
        raise click.exceptions.Exit(Exit.STORE_REFUSED)


def finding_of(check: dict[str, Any]) -> Finding:
    """A finding as the store's API tells it."""
    return Finding(
        check["rule"],
        check["level"],
        check["message"],
        check.get("file"),
        check.get("line"),
        check.get("fix"),
    )


def _link(store: Store, release: dict[str, Any]) -> str:
    url = str(release.get("url") or "")
    return f"{store.url}{url}" if url.startswith("/") else url
