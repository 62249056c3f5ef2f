"""What people and apps have used in the last hour, kept and held against what they may."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, delete, select

from marketplace.infra.db import inserting
from marketplace.kernel.errors import Limited
from marketplace.kernel.ids import AccountId, AppId
from marketplace.kernel.words import noted
from marketplace.runs.models import Use
from marketplace.runs.pages import HourRow
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import NAMES, SLOTS, Amounts, slot_of, used, wait_s
from marketplace.web.i18n import gettext as _

WORDS = {
    "cpu_ms": noted("computing time"),
    "wall_ms": noted("running time"),
    "memory_mb_s": noted("memory"),
    "output_bytes": noted("output"),
    "host_calls": noted("calls to the store"),
    "llm_tokens": noted("the language model"),
    "kv_bytes": noted("storage"),
    "egress_requests": noted("web requests"),
}


# Of eight things that are counted, those nearest to their end are told.
SHOWN = 3


class BudgetSpent(Limited):
    """A person or an app has used up what one hour allows."""


@dataclass(frozen=True)
class Party:
    """Somebody whose use is counted.

    Args:
        refusal: the sentence when nothing is left; `what` and `n` minutes are filled in.
    """

    id: UUID
    allowed: Amounts
    rule: str
    refusal: str


def person(person_id: AccountId, settings: RunSettings) -> Party:
    """A person, whose hour counts over all apps."""
    return Party(
        person_id,
        Amounts(**settings.hour.model_dump()),
        "budget.person",
        noted("You have used up this hour's share of %(what)s. Please try again in %(n)s minutes."),
    )


def parties(person_id: AccountId, app_id: AppId, settings: RunSettings) -> tuple[Party, Party]:
    """The two whose hour a run counts in: the person, over all apps, and the app, over all people.

    Always in this order, so that two runs never wait for each other's rows.
    """
    asking = person(person_id, settings)
    return (
        asking,
        Party(
            app_id,
            asking.allowed.times(settings.app_times),
            "budget.app",
            noted(
                "This app has used up its share of %(what)s for this hour. "
                "Please try again in %(n)s minutes."
            ),
        ),
    )


def left(session: Session, both: tuple[Party, Party], *, now: datetime) -> Amounts:
    """What a run that begins now may use at most: what the poorer of the two has left."""
    person, app = (
        party.allowed.without(used(_slots(session, party.id, now), slot_of(now))) for party in both
    )
    return person.least(app)


def check(session: Session, all_parties: Sequence[Party], *, now: datetime) -> None:
    """Whether a run may begin. Raises: BudgetSpent, with the seconds to wait."""
    for party in all_parties:
        slots = _slots(session, party.id, now)
        gone = party.allowed.without(used(slots, slot_of(now))).exhausted
        if gone is not None:
            seconds = wait_s(slots, party.allowed, now)
            raise BudgetSpent(
                _(party.refusal, what=_(WORDS[gone]), n=-(-seconds // 60)),
                retry_after_s=seconds,
                rule=f"{party.rule}.{gone}",
            )


def charge(
    session: Session, all_parties: Sequence[Party], amounts: Amounts, *, now: datetime
) -> None:
    """Count what was used for each of them."""
    for party in all_parties:
        values = {"party_id": party.id, "slot": slot_of(now), **asdict(amounts)}
        statement = inserting(session, Use).values(**values)
        session.exec(
            statement.on_conflict_do_update(
                index_elements=["party_id", "slot"],
                set_={name: getattr(Use, name) + statement.excluded[name] for name in NAMES},
            )
        )


def hour(
    session: Session, person_id: AccountId, settings: RunSettings, *, now: datetime
) -> list[HourRow]:
    """What a person has used of their hour, the most first; what is hardly used is left out."""
    asking = person(person_id, settings)
    gone = used(_slots(session, person_id, now), slot_of(now))
    rows = [
        HourRow(
            _(WORDS[name]), min(100, 100 * getattr(gone, name) // getattr(asking.allowed, name))
        )
        for name in NAMES
    ]
    most = sorted(rows, key=lambda row: row.percent, reverse=True)
    return [row for row in most if row.percent > 0][:SHOWN]


def forget(session: Session, *, now: datetime) -> None:
    """Delete what lies too far back to count."""
    session.exec(delete(Use).where(col(Use.slot) <= slot_of(now) - SLOTS))


def _slots(session: Session, party_id: UUID, now: datetime) -> Mapping[int, Amounts]:
    rows = session.exec(
        select(Use).where(Use.party_id == party_id, col(Use.slot) > slot_of(now) - SLOTS)
    ).all()
    return {row.slot: Amounts(*(getattr(row, name) for name in NAMES)) for row in rows}
