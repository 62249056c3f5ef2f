"""Counts attempts at the door, so that nobody can try passwords for long."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, delete, select

from marketplace.accounts.models import SignInAttempt
from marketplace.kernel.errors import Limited
from marketplace.web.i18n import gettext as _


class TooManyAttempts(Limited):
    """Too many attempts in too short a time."""


@dataclass(frozen=True)
class Limit:
    """How many attempts one subject has in a stretch of time."""

    most: int
    window_s: int


# Who guesses from elsewhere must not lock out the person; many who guess together are stopped.
SIGN_IN_BY_EMAIL_AND_ADDRESS = Limit(most=10, window_s=300)
SIGN_IN_BY_EMAIL = Limit(most=200, window_s=300)
PASSWORD_AGAIN = Limit(most=10, window_s=300)
# Many people may share an address: an office, a school, a proxy in front of the store.
SIGN_IN_BY_ADDRESS = Limit(most=50, window_s=300)
SIGN_UP_BY_ADDRESS = Limit(most=100, window_s=3600)
SETUP_BY_ADDRESS = Limit(most=20, window_s=3600)
LONGEST_WINDOW_S = 3600


def subject(kind: str, value: str) -> str:
    """The name under which attempts are counted."""
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()


def network(address: str | None) -> str:
    """What counts as one address: IPv4 whole, of IPv6 the /64 that one customer gets."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def count(session: Session, name: str, limit: Limit, *, now: datetime) -> None:
    """Count one attempt of a subject, and forget attempts that no limit looks at any more.

    Raises: TooManyAttempts, with the seconds until the oldest attempt no longer counts.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Attempts that come together are counted one after the other; SQLite has one writer.
        session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    since = now - timedelta(seconds=limit.window_s)
    made, oldest = session.exec(
        select(func.count(), func.min(SignInAttempt.at)).where(
            SignInAttempt.subject == name, col(SignInAttempt.at) > since
        )
    ).one()
    if made >= limit.most:
        wait_s = max(1, round((oldest - since).total_seconds()))
        raise TooManyAttempts(
            _("There were too many attempts. Please wait %(n)s minutes, then try again.")
            % {"n": -(-wait_s // 60)},
            retry_after_s=wait_s,
        )
    forgotten = now - timedelta(seconds=LONGEST_WINDOW_S)
    session.exec(delete(SignInAttempt).where(col(SignInAttempt.at) < forgotten))
    session.add(SignInAttempt(subject=name, at=now))


def forgive(session: Session, name: str) -> None:
    """Forget every attempt of a subject: it turned out to be the right person."""
    session.exec(delete(SignInAttempt).where(col(SignInAttempt.subject) == name))
