"""Bundles and uploads for tests."""

from typing import Any

from caravan import bundle
from sqlmodel import Session

from marketplace.accounts.models import Account
from marketplace.catalog.models import Release
from marketplace.infra.blobs import Blobs
from marketplace.kernel.ids import AccountId
from marketplace.publishing import service
from marketplace.publishing.service import Publisher
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON
from tests.sdk.bundles import MANIFEST, with_changes

PRODUCT = """
[[product]]
id = "whole"
kind = "one_time"
name = "The whole app"
price = "4.99"
currency = "USD"
"""
REMEMBER = """
[[permission]]
name = "kv.user"
reason = "Remembers what you said before."
"""


def manifest_text(
    ident: str = "tests.echo", version: str = "1.0.0", name: str = "Echo", more: str = ""
) -> str:
    """A `caravan.toml`; `more` is put at its end."""
    text = MANIFEST.replace('"tests.echo"', f'"{ident}"').replace('"1.0.0"', f'"{version}"')
    return text.replace('name = "Echo"', f'name = "{name}"') + more


def bundle_bytes(changes: dict[str, str | bytes | None] | None = None, **manifest: str) -> bytes:
    """A bundle as a developer uploads it.

    Args:
        changes: files that are replaced, added, or (None) left out.
        manifest: what `manifest_text` takes.
    """
    files = {"caravan.toml": manifest_text(**manifest), **(changes or {})}
    return bundle.pack(with_changes(files))


def publisher_of(account: Account) -> Publisher:
    """The account as the one who uploads."""
    return Publisher(AccountId(account.id), is_operator=account.is_operator)


def make_upload(
    session: Session, blobs: Blobs, *, by: Account | None = None, **given: Any
) -> Release:
    """A release that was uploaded and waits for its checks; `given` goes to the bundle."""
    by = by or make_account(session, is_developer=True)
    data = bundle_bytes(**given)
    release = service.submit(session, publisher_of(by), data, blobs=blobs, now=NOON)
    session.flush()  # callers look at rows that point to it
    return release
