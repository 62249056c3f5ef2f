"""Families of errors a person may cause or meet; `web.edge` maps each to a status."""

from collections.abc import Mapping
from typing import Any


class CaravanError(Exception):
    """An error whose message is a sentence the person may read.

    Args:
        message: a full sentence that says what happened and what to do next.
        rule: a stable name for programs, such as `manifest.unknown-key`.
        fields: form field name → sentence, where the fault lies in single fields.
    """

    def __init__(
        self, message: str, *, rule: str | None = None, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.fields = dict(fields or {})
        # Further members of the problem+json answer, for programs.
        self.details: dict[str, Any] = {}


class Invalid(CaravanError):
    """What was sent cannot be accepted as it is."""


class Forbidden(CaravanError):
    """The person may not do this."""


class NotFound(CaravanError):
    """There is no such thing, or the person may not know of it."""


class Conflict(CaravanError):
    """The thing is not in a state that allows this."""


class TooLarge(CaravanError):
    """What was sent is larger than the limit."""


class Limited(CaravanError):
    """Too much in too short a time; `retry_after_s` says when to come back."""

    def __init__(self, message: str, *, retry_after_s: int, rule: str | None = None) -> None:
        super().__init__(message, rule=rule)
        self.retry_after_s = retry_after_s


class Unavailable(CaravanError):
    """A part of the store that this needs is not there at the moment."""
