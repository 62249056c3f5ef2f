"""`caravan login`, `logout` and `whoami`: who you are at a store."""

import click

from caravan.cli import tokens
from caravan.cli.output import Exit, Failure, json_option, say_json
from caravan.cli.store import Store, address_of, store_of, store_options


@click.command()
@click.option("--store", required=True, envvar="CARAVAN_STORE", help="The store's address.")
@click.option("--token", envvar="CARAVAN_TOKEN", help="A token of the store's portal.")
@json_option
def login(*, store: str, token: str | None, as_json: bool) -> None:
    """Keep a store's token on this machine, readable by you alone.

    Example: caravan login --store https://store.example.com
    """
    address = address_of(store)
    if token is None:
        token = _asked_for(address)
    person = Store(address, token).call("GET", "/api/v1/whoami")
    kept = tokens.read()
    tokens.write({"default": address, "tokens": {**kept["tokens"], address: token}})
    if as_json:
        say_json({"store": address, "account": person})
    else:
        click.echo(f"You are {_name(person)} at {address}.")


@click.command()
@click.option("--store", help="The store to forget.  [default: the one you use]")
@json_option
def logout(*, store: str | None, as_json: bool) -> None:
    """Forget a store's token on this machine.

    Example: caravan logout --store https://store.example.com
    """
    kept = tokens.read()
    address = address_of(store) if store else kept["default"]
    kept["tokens"].pop(address, None)
    if kept["default"] == address:
        kept["default"] = next(iter(kept["tokens"]), None)
    tokens.write(kept)
    if as_json:
        say_json({"store": address})
    else:
        click.echo(f"Forgot {address}." if address else "There was nothing to forget.")


@click.command()
@store_options
@json_option
def whoami(*, store: str | None, token: str | None, as_json: bool) -> None:
    """Say who you are at the store.

    Example: caravan whoami
    """
    found = store_of(store, token)
    person = found.call("GET", "/api/v1/whoami")
    if as_json:
        say_json({"store": found.url, "account": person})
    else:
        click.echo(f"You are {_name(person)} at {found.url}.")


def _asked_for(address: str) -> str:
    page = f"{address}/portal/tokens"
    click.echo(f"Make a token at {page} and paste it here.", err=True)
    try:
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    except click.Abort:
        raise Failure(
            Exit.USAGE,
            "No token was given.",
            rule="store.no-token",
            fix=f"Make one at {page}; then set CARAVAN_TOKEN, or give it with --token.",
        ) from None


def _name(person: dict[str, object]) -> str:
    return str(person.get("name") or person.get("email") or "somebody")
