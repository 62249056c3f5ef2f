"""`caravan dev`: a local page with the app's form and its streamed result, following every save."""

import webbrowser
from pathlib import Path

import click

from caravan import workbench
from caravan.cli.bench import Bench, NativeBench, SandboxBench, Upstreams
from caravan.cli.devserver import DevServer
from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.project import manifest_of
from caravan.cli.store import store_of


@click.command()
@click.argument(
    "path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path()
)
@click.option("--port", default=8765, show_default=True, help="0 takes any free port.")
@click.option("--store", help="Use this store's model in place of a pretended one.")
@click.option("--token", envvar="CARAVAN_TOKEN", help="A token of the store's portal.")
@click.option("--own", multiple=True, help="A product the person has bought; may be repeated.")
@click.option("--native", is_flag=True, help="Use plain Python in place of the real sandbox.")
@click.option("--open/--no-open", "opens", default=False, help="Open the page in the browser.")
@json_option
def dev(
    *,
    path: Path,
    port: int,
    store: str | None,
    token: str | None,
    own: tuple[str, ...],
    native: bool,
    opens: bool,
    as_json: bool,
) -> None:
    """Try the app in PATH on a page that has the store's own forms and results.

    It runs in the store's real sandbox where the store is installed too, on a pretended model
    unless --store is given.

    Example: caravan dev --open
    """
    manifest_of(path)
    found = store_of(store, token) if store else None
    upstreams = Upstreams(found.url if found else None, found.token if found else None, own)
    try:
        server = DevServer(path, port, NativeBench(upstreams), upstreams.store or "pretended")
    except OSError as error:
        raise Failure(
            Exit.USAGE,
            f"Port {port} cannot be used: {error.strerror}.",
            rule="dev.port",
            fix="Take another: caravan dev --port 0",
        ) from None
    server.bench = bench = _bench(upstreams, native=native)
    if as_json:
        say_json({"url": server.url, "runs_in": bench.name})
    else:
        click.echo(f"Your app is at {server.url} and follows every save. Stop with Ctrl-C.")
    if opens:
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
    finally:
        server.server_close()
        if isinstance(bench, SandboxBench):
            bench.close()


def _bench(upstreams: Upstreams, *, native: bool) -> Bench:
    if native or not workbench.is_here():
        return NativeBench(upstreams)
    click.echo("Starting the sandbox …", err=True)
    return SandboxBench(upstreams)
