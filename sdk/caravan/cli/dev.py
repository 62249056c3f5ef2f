"""`caravan dev`: a local page with the app's form and its streamed result, following every save."""

import webbrowser
from pathlib import Path

import click

from caravan.cli.devserver import DevServer, Upstreams
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
@click.option("--open/--no-open", "opens", default=False, help="Open the page in the browser.")
@json_option
def dev(
    *,
    path: Path,
    port: int,
    store: str | None,
    token: str | None,
    own: tuple[str, ...],
    opens: bool,
    as_json: bool,
) -> None:
    """Try the app in PATH on a local page, with a pretended model unless --store is given.

    Example: caravan dev --open
    """
    manifest_of(path)
    found = store_of(store, token) if store else None
    upstreams = Upstreams(found.url if found else None, found.token if found else None, own)
    try:
        server = DevServer(path, port, upstreams)
    except OSError as error:
        raise Failure(
            Exit.USAGE,
            f"Port {port} cannot be used: {error.strerror}.",
            rule="dev.port",
            fix="Take another: caravan dev --port 0",
        ) from None
    if as_json:
        say_json({"url": server.url})
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
