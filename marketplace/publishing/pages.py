"""What each page of the developer portal shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketplace.kernel.money import Money


@dataclass(frozen=True)
class AppRow:
    """One app of a developer.

    Args:
        earned: the developer's share so far, one amount a currency.
    """

    ident: str
    name: str
    state: str
    version: str
    runs: int
    sales: int
    earned: Sequence[Money]


@dataclass(frozen=True)
class Portal:
    """A developer's apps, or the invitation to become one."""

    is_developer: bool
    apps: Sequence[AppRow] = ()
    store_url: str = ""


@dataclass(frozen=True)
class ReleaseRow:
    """One uploaded version, and what the checks found."""

    id: str
    version: str
    channel: str
    state: str
    created_at: datetime
    verdict: str
    checks: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class AppReleases:
    """One app of a developer with all its versions, newest first.

    Args:
        is_withdrawn: whether its developer took it out of the store.
    """

    ident: str
    name: str
    is_listed: bool
    is_withdrawn: bool
    releases: Sequence[ReleaseRow]
    blocked_reason: str = ""


@dataclass(frozen=True)
class UploadForm:
    """The form that takes a bundle, and why the last one was not taken."""

    error: str = ""
    findings: Sequence[Mapping[str, Any]] = field(default=())
    channel: str = ""
