"""What a person has allowed an app: asked in plain words, kept, compared, taken back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.catalog import channels, permissions, wording
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App, Release
from marketplace.catalog.permissions import Asked
from marketplace.kernel.errors import Forbidden, NotFound
from marketplace.kernel.ids import AccountId, AppId
from marketplace.runs import preferences
from marketplace.runs.models import Consent
from marketplace.runs.pages import Allowed
from marketplace.web.i18n import gettext as _

FETCH = "net.fetch"
# Between the items in the form's hidden field; no item holds one.
COMMA = ","


class ConsentNeeded(Forbidden):
    """The app asks for something that the person has not allowed it yet."""


class NothingAllowed(NotFound):
    """The person has allowed this app nothing."""


def items_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Everything a manifest asks for → the developer's reason.

    A permission is one item by its name, and each place on the web one more: a release that
    adds a host asks again, as one that adds a permission does.
    """
    asked = {entry["name"]: entry["reason"] for entry in manifest["permission"]}
    network = manifest.get("network") or {}
    if FETCH in asked:
        for host in network.get("allow", ()):
            asked[f"{FETCH} {host}"] = network.get("reason") or asked[FETCH]
    return asked


def missing(
    session: Session, person_id: AccountId | None, app_id: UUID, manifest: Mapping[str, Any]
) -> dict[str, str]:
    """What a person must still allow before this release runs for them → the reason."""
    given = _given(session, person_id, app_id) if person_id else None
    known = set(given.items) if given else set()
    return {item: why for item, why in items_of(manifest).items() if item not in known}


def allow(
    session: Session,
    person_id: AccountId,
    release: Release,
    items: Iterable[str],
    *,
    now: datetime,
) -> None:
    """Hold a release to a person's consent, to which `items` of it are now added.

    Raises: ConsentNeeded, naming what is still not allowed. Effects: the person's consent.
    """
    asked = items_of(release.manifest)
    given = _given(session, person_id, release.app_id)
    known = set(given.items) if given else set()
    allowed = known | (set(items) & asked.keys())
    if lacking := [item for item in asked if item not in allowed]:
        error = ConsentNeeded(
            _("Allow what this app asks for first: %(what)s", what=" ".join(map(title, lacking))),
            rule="consent.needed",
        )
        error.details = {"permissions": lacking}
        raise error
    if allowed == known:
        return
    consent = given or Consent(person_id=person_id, app_id=AppId(release.app_id), given_at=now)
    consent.items, consent.version, consent.given_at = sorted(allowed), release.version, now
    session.add(consent)


def revoke(session: Session, person_id: AccountId, app_id: UUID) -> None:
    """Take everything back; the app asks again before it runs. Raises: NothingAllowed."""
    given = _given(session, person_id, app_id)
    if given is None:
        raise NothingAllowed(_("You have allowed this app nothing. Reload the page to see it."))
    session.delete(given)


def title(item: str) -> str:
    """One item in plain words."""
    name, _space, host = item.partition(" ")
    if host:
        return _("Sends and fetches data at %(host)s.", host=host)
    return permissions.sentence(name)


def asked(items: Mapping[str, str]) -> Sequence[Asked]:
    """Items as a page lists them; a web permission is told by its hosts where it has some."""
    has_hosts = any(" " in item for item in items)
    shown = []
    for item, reason in items.items():
        if item == FETCH and has_hosts:
            continue
        words = permissions.asked(item.partition(" ")[0], reason)
        shown.append(Asked(words.icon, title(item), reason, words.level))
    return shown


def mine(session: Session, person_id: AccountId, *, locale: str) -> Sequence[Allowed]:
    """Everything a person has allowed, app by app, the latest first."""
    rows = session.exec(
        select(Consent, App, Release)
        .join(App, col(App.id) == col(Consent.app_id))
        .outerjoin(Release, col(Release.id) == channels.release_id(person_id))
        .where(Consent.person_id == person_id)
        .order_by(col(Consent.given_at).desc())
    ).all()
    names = catalog.names(session, [app.id for _consent, app, _release in rows], locale=locale)
    found = []
    for consent, app, release in rows:
        reasons = items_of(wording.manifest(release, locale=locale)) if release else {}
        items = {item: reasons.get(item, "") for item in consent.items}
        found.append(
            Allowed(
                ident=app.ident,
                name=names.get(app.id, app.name),
                version=consent.version,
                given_at=consent.given_at,
                items=asked(items),
                has_settings=release is not None and preferences.is_asked(release.manifest),
            )
        )
    return found


def _given(session: Session, person_id: AccountId, app_id: UUID) -> Consent | None:
    return session.get(Consent, (person_id, app_id))
