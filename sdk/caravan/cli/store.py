"""The store's HTTP API as the commands use it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import httpx

from caravan.cli import tokens
from caravan.cli.output import Exit, Failure

Function = TypeVar("Function", bound=Callable[..., Any])
TIMEOUT_S = 60
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def store_options(function: Function) -> Function:
    """`--store` and `--token`, also from the environment."""
    for decorate in (
        click.option("--token", envvar="CARAVAN_TOKEN", help="A token of the store's portal."),
        click.option("--store", envvar="CARAVAN_STORE", help="The store's address."),
    ):
        function = decorate(function)
    return function


@dataclass(frozen=True)
class Store:
    """One store, and who asks."""

    url: str
    token: str

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One request, its JSON answered. Raises: Failure for a refusal or no connection."""
        try:
            answer = httpx.request(
                method,
                f"{self.url}{path}",
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=TIMEOUT_S,
                **options,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failure(
                Exit.NO_CONNECTION,
                f"{self.url} does not answer: {error}.",
                rule="store.unreachable",
                fix="Look at the address and at your connection, then try again.",
            ) from None
        if not answer.is_success:
            raise _refusal(answer)
        return _json(answer)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failure(
            Exit.STORE_REFUSED,
            f"{answer.url} did not answer like a Caravan store.",
            rule="store.answer",
            fix="Give the store's own address with --store.",
        )
    return value


def _refusal(answer: httpx.Response) -> Failure:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return Failure(
            Exit.STORE_REFUSED,
            "The store does not know this token.",
            rule="store.token",
            fix="Make a new one in the store's developer portal, then: caravan login",
        )
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return Failure(
            Exit.STORE_REFUSED,
            f"{answer.url} answered {answer.status_code} {answer.reason_phrase}.",
            rule="store.answer",
            fix="Give the store's own address with --store.",
        )
    problem = _json(answer)
    message = str(problem.get("detail") or problem.get("title"))
    errors = problem.get("errors") or {}
    details = [f"{key}: {value}" for key, value in errors.items()] if errors else []
    return Failure(
        Exit.STORE_REFUSED,
        " ".join([message, *details]),
        rule=str(problem.get("rule") or problem.get("type") or ""),
    )


def store_of(url: str | None, token: str | None) -> Store:
    """The store to talk to: what was given, else what was kept. Raises: Failure."""
    kept = tokens.read()
    chosen = url or kept["default"]
    if not chosen:
        raise Failure(
            Exit.USAGE,
            "No store is chosen.",
            rule="store.none",
            fix="Log in first: caravan login --store https://store.example.com",
        )
    address = address_of(chosen)
    known = token or kept["tokens"].get(address)
    if not known:
        raise Failure(
            Exit.USAGE,
            f"There is no token for {address}.",
            rule="store.no-token",
            fix=f"Log in first: caravan login --store {address}",
        )
    return Store(address, known)


def address_of(url: str) -> str:
    """The store's address without a path's end; warns where a token would travel unencrypted."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failure(
            Exit.USAGE,
            f"“{url}” is not an address.",
            rule="store.address",
            fix="Write it whole, such as https://store.example.com.",
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        click.secho("Warning: this store is asked without encryption.", fg="yellow", err=True)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
