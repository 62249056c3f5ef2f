"""What each page of the reviewers' desk shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketplace.catalog.permissions import Asked


@dataclass(frozen=True)
class Waiting:
    """One release that waits for a person."""

    id: str
    ident: str
    name: str
    version: str
    developer: str
    created_at: datetime
    warnings: int
    is_new_app: bool


@dataclass(frozen=True)
class SourceFile:
    """One file of a bundle.

    Args:
        text: its content or, where it is changed, the lines that are; None for a picture.
        change: `new`, `changed`, `removed` or `same` against the live release; `long`: changed,
            and too long to be compared, so `text` is all of it.
    """

    path: str
    size_bytes: int
    text: str | None
    change: str


@dataclass(frozen=True)
class ReleasePage:
    """Everything a reviewer needs for one verdict."""

    id: str
    ident: str
    name: str
    summary: str
    version: str
    live_version: str
    state: str
    developer: str
    is_own: bool
    created_at: datetime
    permissions: Sequence[Asked]
    prices: Sequence[str]
    checks: Sequence[Mapping[str, Any]]
    files: Sequence[SourceFile]
    verdict: str
    reason: str = ""
    error: str = ""


@dataclass(frozen=True)
class ReportRow:
    """What one person says is wrong with an app."""

    kind: str
    words: str
    created_at: datetime


@dataclass(frozen=True)
class ReportedApp:
    """An app that people report, or that was taken down.

    Args:
        reports: the open ones, oldest first.
        blocked_reason: why it was taken down, "" while it was not.
        reason, error: what an operator wrote, and what is wrong with it.
    """

    ident: str
    name: str
    summary: str
    developer: str
    state: str
    reports: Sequence[ReportRow]
    blocked_reason: str = ""
    reason: str = ""
    error: str = ""


@dataclass(frozen=True)
class ReportPage:
    """The form in which a person reports an app. `kinds` are (key, words)."""

    ident: str
    name: str
    kinds: Sequence[tuple[str, str]]
    kind: str = ""
    words: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
