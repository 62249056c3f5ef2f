"""Starting runs, and who may look at them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.accounts.models import Account
from marketplace.billing import queries as billing
from marketplace.catalog import channels
from marketplace.catalog.models import App, Release
from marketplace.infra.vault import Vault
from marketplace.kernel.errors import Forbidden, Invalid, Limited, NotFound
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.runs import budgets, consent, fields, preferences, secret_input
from marketplace.runs.models import ENDED, Run
from marketplace.runs.settings import RunSettings
from marketplace.web.auth import Actor
from marketplace.web.i18n import format_number
from marketplace.web.i18n import gettext as _

EMPTY: Mapping[str, str] = MappingProxyType({})


class RunNotFound(NotFound):
    """No run has this id, or it belongs to somebody else."""


class NotBought(Forbidden):
    """The app must be bought before it runs."""


class NothingToRun(NotFound):
    """The app has no published release, or no such action."""


class BadInput(Invalid):
    """The form's values do not fit what the action asks for."""


class TooManyRuns(Limited):
    """This person already has as many runs going as one may."""


def start(
    session: Session,
    app: App,
    *,
    person_id: AccountId,
    action: str,
    values: dict[str, Any],
    wrong: Mapping[str, str] = EMPTY,
    allowed: Iterable[str] = (),
    locale: str,
    settings: RunSettings,
    vault: Vault,
    executor: str,
    is_scheduled: bool = False,
    now: datetime,
) -> Run:
    """Add one queued run; the caller hands it to the executor once it is committed.

    Args:
        wrong: what is already known to be wrong with the values, by field.
        allowed: what the person allows with this very run, as `consent` names it.
        settings: how many runs one person may have going, and what the hour allows.
        vault: seals the secrets of the input until the run is over.
        executor: the name of the process that will carry it out.
        is_scheduled: whether no person is there to see it.
    Raises: BadInput, TooManyRuns, BudgetSpent, and what `check` raises.
    """
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode(errors="surrogatepass"))
    if size > settings.input_bytes:
        raise BadInput(
            _(
                "What you gave this app has %(size)s bytes, and at most %(most)s are taken. "
                "Shorten it, or give a long text as a file where the app takes one.",
                size=format_number(size),
                most=format_number(settings.input_bytes),
            ),
            rule="run.input-too-large",
        )
    # Runs that one person starts together are counted one after the other. SQLite ignores the lock
    # and has one writer. It comes before every row that points at the account: two transactions
    # with such a row would wait for each other.
    session.exec(select(Account.id).where(Account.id == person_id).with_for_update(key_share=True))
    release, schema = check(
        session,
        app,
        action,
        values,
        person_id=person_id,
        wrong=wrong,
        allowed=allowed,
        vault=vault,
        now=now,
    )
    going = session.exec(
        select(func.count())
        .select_from(Run)
        .where(Run.person_id == person_id, col(Run.state).not_in(ENDED))
    ).one()
    if going >= settings.at_once_per_person:
        raise TooManyRuns(
            _("You have %(n)s runs going. Wait for one to end, or stop it.", n=going),
            retry_after_s=10,
        )
    both = budgets.parties(person_id, AppId(app.id), settings)
    budgets.check(session, both, now=now)
    run = Run(
        app_id=app.id,
        release_id=release.id,
        person_id=person_id,
        action=action,
        locale=locale,
        state_changed_at=now,
        created_at=now,
        executor=executor,
        is_scheduled=is_scheduled,
    )
    secret_input.keep(run, values, schema, vault)
    session.add(run)
    return run


def check(
    session: Session,
    app: App,
    action: str,
    values: Mapping[str, Any],
    *,
    person_id: AccountId,
    wrong: Mapping[str, str] = EMPTY,
    allowed: Iterable[str] = (),
    vault: Vault,
    now: datetime,
) -> tuple[Release, Mapping[str, Any]]:
    """Whether an action may run for a person with these values.

    Args:
        wrong: what is already known to be wrong with the values, by field.
        allowed: what the person allows with this, as `consent` names it.
    Returns: the release that would run, and the schema of the action's input.
    Raises: NothingToRun, NotBought, BadInput (with a sentence per field), ConsentNeeded,
        SettingsNeeded.
    """
    release = channels.release_for(session, app, person_id)
    if release is None:
        raise NothingToRun(_("This app has no published version yet."))
    described = next((a for a in release.actions["actions"] if a["name"] == action), None)
    if described is None:
        raise NothingToRun(_("This app has no such action. Reload its page and try again."))
    if billing.product_needed(session, person_id, app.id) is not None:
        raise NotBought(_("Buy this app first; its page has the button."), rule="app.not-bought")
    schema: dict[str, Any] = described["input_schema"]
    if problems := {**fields.problems(values, schema), **wrong}:
        raise BadInput(_("Please look at the marked fields."), fields=problems)
    consent.allow(session, person_id, release, allowed, now=now)
    known = preferences.known(session, vault, person_id, app.id, release.manifest)
    preferences.check(release.manifest, known)
    return release, schema


def own(session: Session, run_id: RunId, *, person_id: AccountId) -> Run:
    """One of this person's runs. Raises: RunNotFound."""
    run = session.get(Run, run_id)
    if run is None or run.person_id != person_id:
        raise RunNotFound(_("There is no such run, or it is not yours."))
    return run


def audited(session: Session, run_id: RunId, reader: Actor) -> Run:
    """A run whose audit log this person may read: their own, or one of their app or store.

    Raises: RunNotFound.
    """
    run = session.get(Run, run_id)
    if run is not None:
        app = session.get_one(App, run.app_id)
        if reader.id in {run.person_id, app.owner_id} or reader.is_operator:
            return run
    raise RunNotFound(_("There is no such run, or it is not yours."))
