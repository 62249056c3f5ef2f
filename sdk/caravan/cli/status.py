"""`caravan status` and `caravan logs`: how an app's releases and runs do at a store."""

import time
from pathlib import Path
from typing import Any

import click

from caravan.cli.output import Exit, Failure, json_option, say_findings, say_json
from caravan.cli.project import manifest_of
from caravan.cli.publish import POLL_S, REFUSED, WORKING, finding_of
from caravan.cli.store import Store, store_of, store_options

path_option = click.option(
    "--path",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The app's folder.  [default: here]",
)
app_option = click.option("--app", help="The app's id.  [default: the one of the folder]")


@click.command()
@path_option
@app_option
@store_options
@click.option("--wait", is_flag=True, help="Wait until the store has checked the newest release.")
@click.option("--timeout", default=300, show_default=True, help="The longest wait, in seconds.")
@json_option
def status(
    *,
    path: Path,
    app: str | None,
    store: str | None,
    token: str | None,
    wait: bool,
    timeout: int,
    as_json: bool,
) -> None:
    """Say how the newest release of the app stands, and what the store's checks found.

    Example: caravan status --wait
    """
    ident = app or manifest_of(path).app.id
    newest = _newest(store_of(store, token), ident, timeout if wait else 0)
    if as_json:
        say_json({"app": ident, **newest})
    else:
        say_findings([finding_of(each) for each in newest["checks"]])
        state = str(newest["state"]).replace("_", " ")
        beta = " (beta)" if newest.get("channel") == "beta" else ""
        click.echo(f"{ident} {newest['version']}{beta} is {state}.")
        if newest.get("verdict"):
            click.echo(f"The reviewer wrote: {newest['verdict']}")
    if newest["state"] in REFUSED:
        raise click.exceptions.Exit(Exit.STORE_REFUSED)


def _newest(store: Store, ident: str, timeout_s: int) -> dict[str, Any]:
    """The newest release, once it has a verdict or the time is over. Raises: Failure."""
    deadline = time.monotonic() + timeout_s
    while True:
        releases = store.call("GET", f"/api/v1/apps/{ident}/releases")["releases"]
        if not releases:
            raise Failure(
                Exit.STORE_REFUSED,
                f"{ident} has no release yet.",
                rule="status.none",
                fix="Publish one: caravan publish",
            )
        newest: dict[str, Any] = releases[0]
        if newest["state"] not in WORKING or time.monotonic() >= deadline:
            break
        time.sleep(POLL_S)
    if timeout_s and newest["state"] in WORKING:
        raise Failure(
            Exit.STORE_REFUSED,
            f"The store is still at it after {timeout_s} s ({newest['state']}).",
            rule="publish.timeout",
            fix="Wait longer with --timeout, or look at the release's page in the portal.",
        )
    return newest


@click.command()
@path_option
@app_option
@store_options
@click.option("--limit", default=20, show_default=True, help="How many runs, at most 100.")
@click.option("--failed", is_flag=True, help="Only runs that failed.")
@json_option
def logs(
    *,
    path: Path,
    app: str | None,
    store: str | None,
    token: str | None,
    limit: int,
    failed: bool,
    as_json: bool,
) -> None:
    """Show the newest runs of the app: how each ended, what it took, and what the app logged.

    You see what your app did, never who ran it or what they wrote: of other people's runs you get
    rules, places in your code, and levels and sizes of log lines; of your own the texts too.

    Example: caravan logs --failed
    """
    ident = app or manifest_of(path).app.id
    found = store_of(store, token).call("GET", f"/api/v1/apps/{ident}/runs?limit={limit}")["runs"]
    runs = [run for run in found if run["state"] == "failed" or not failed]
    if as_json:
        say_json({"app": ident, "runs": runs})
        return
    for run in reversed(runs):
        _say_run(run)
    if not runs:
        click.echo("There are no runs.")


def _say_run(run: dict[str, Any]) -> None:
    colour = {"finished": "green", "failed": "red"}.get(run["state"])
    head = click.style(run["state"], fg=colour)
    figures = f"{run['wall_ms']} ms, {run['cpu_ms']} ms cpu, {run['generated_tokens']} tokens"
    click.echo(f"{run['created_at'][:19]} {run['version']} {run['action']} {head}  {figures}")
    for line in run["log"]:
        text = line["text"] if "text" in line else f"({line['text_bytes']} bytes)"
        click.echo(f"    {line['level']}: {text}")
    if run["rule"]:
        click.echo(f"    {run['message'] or 'It failed.'}  [{run['rule']}]")
    for text in (run["traceback"] or "").splitlines():
        click.echo(f"    {text}")
