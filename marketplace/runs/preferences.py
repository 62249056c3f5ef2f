"""What a person set for an app on its settings form: checked, kept, and what a run gets of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from caravan import preferences
from caravan.preferences import Setting
from sqlmodel import Session

from marketplace.infra.egress import Secret
from marketplace.infra.vault import CannotOpen, Vault
from marketplace.kernel.errors import Conflict, Invalid
from marketplace.kernel.ids import AccountId, AppId
from marketplace.runs import fields
from marketplace.runs.models import Preferences
from marketplace.web.i18n import gettext as _


class BadSettings(Invalid):
    """A setting is not of the kind that the app asks for."""


class SettingsNeeded(Conflict):
    """The app cannot run before a person has set something."""


@dataclass(frozen=True)
class Known:
    """What a run has of a person's settings.

    Args:
        values: what the guest gets; a secret is a placeholder here.
        secrets: for the way out alone.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()


def is_asked(manifest: Mapping[str, Any]) -> bool:
    """Whether an app has anything on its settings page."""
    return bool(manifest.get("setting") or manifest.get("schedule"))


def known(
    session: Session,
    vault: Vault,
    person_id: AccountId | None,
    app_id: UUID,
    manifest: Mapping[str, Any],
) -> Known:
    """A person's settings of an app as this release asks for them.

    What no longer fits the release, or what no key of the store opens, counts as not set.
    """
    asked = manifest.get("setting") or []
    if not asked:
        return Known()
    row = session.get(Preferences, (person_id, app_id)) if person_id else None
    given = _fitting(asked, row.given if row else {})
    secrets = _opened(vault, row, asked) if row else ()
    names = [entry["name"] for entry, _secret in secrets]
    values = preferences.known_to_app(asked, given, names)
    return Known(values, tuple(secret for _entry, secret in secrets))


def missing(manifest: Mapping[str, Any], known: Known) -> list[Setting]:
    """The settings that must be made before this release runs."""
    return preferences.missing(manifest.get("setting") or [], known.values)


def check(manifest: Mapping[str, Any], known: Known) -> None:
    """Raises: SettingsNeeded, which names what is missing."""
    if lacking := missing(manifest, known):
        error = SettingsNeeded(
            _("Set this up first: %(what)s", what=", ".join(each["label"] for each in lacking)),
            rule="settings.needed",
        )
        error.details = {"settings": [each["name"] for each in lacking]}
        raise error


def keep(
    session: Session,
    person_id: AccountId,
    app_id: AppId,
    manifest: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    vault: Vault,
    forgotten: Collection[str] = (),
    now: datetime,
) -> None:
    """Keep what a person typed; a secret that is not typed again stays as it is.

    Args:
        values: by name, as `fields.values_of` reads them; what is not there is back at its default.
        forgotten: names of secrets that are forgotten.
    Raises: BadSettings, with a sentence for each field. Effects: the row of this person and app.
    """
    asked = manifest.get("setting") or []
    schema = preferences.schema_of(asked)
    secret_names = {entry["name"] for entry in asked if entry["type"] == "secret"}
    wrong = fields.problems(values, schema)
    wrong |= {
        name: _("A secret has no spaces and only Latin letters, digits and signs.")
        for name in secret_names & values.keys()
        if not preferences.is_sendable(values[name])
    }
    if wrong:
        raise BadSettings(_("Please look at the marked fields."), fields=wrong)
    row = session.get(Preferences, (person_id, app_id), with_for_update=True)
    row = row or Preferences(person_id=person_id, app_id=app_id, changed_at=now)
    row.given = {name: value for name, value in values.items() if name not in secret_names}
    stays = row.secrets.keys() & secret_names - set(forgotten)
    row.secrets = {name: row.secrets[name] for name in stays} | {
        entry["name"]: vault.seal(values[entry["name"]], _place(row, entry))
        for entry in asked
        if entry["name"] in secret_names & values.keys()
    }
    row.changed_at = now
    session.add(row)


def is_kept(session: Session, person_id: AccountId, app_id: UUID) -> bool:
    """Whether a person set anything for an app."""
    return session.get(Preferences, (person_id, app_id)) is not None


def forget(session: Session, person_id: AccountId, app_id: UUID) -> None:
    """Forget all that a person set for an app, secrets too."""
    row = session.get(Preferences, (person_id, app_id))
    if row is not None:
        session.delete(row)


def _fitting(asked: list[Setting], given: Mapping[str, Any]) -> dict[str, Any]:
    wrong = fields.problems(given, preferences.schema_of(asked))
    return {name: value for name, value in given.items() if name not in wrong}


def _opened(vault: Vault, row: Preferences, asked: list[Setting]) -> list[tuple[Setting, Secret]]:
    found = []
    for entry in asked:
        sealed = row.secrets.get(entry["name"])
        if sealed is None or entry["type"] != "secret":
            continue
        try:
            value = vault.open(sealed, _place(row, entry))
        except CannotOpen:
            continue
        header = entry["inject"].partition(":")[2]
        mark = preferences.placeholder(entry["name"])
        found.append((entry, Secret(mark, value, header, entry["host"])))
    return found


def _place(row: Preferences, entry: Setting) -> str:
    # A later release that sends the secret elsewhere cannot open it: the person is asked again.
    where = f"{entry['inject']} {entry['host']}"
    return f"setting {row.app_id} {row.person_id} {entry['name']} {where}"
