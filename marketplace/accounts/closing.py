"""A person leaves: their account is closed at once, and what was theirs is erased soon after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete

from marketplace.accounts import belongings
from marketplace.accounts.models import AccountSession, ApiToken
from marketplace.accounts.service import known, operators
from marketplace.infra import jobs, mail
from marketplace.infra.db import Database
from marketplace.kernel.errors import Conflict
from marketplace.kernel.ids import AccountId
from marketplace.web.i18n import gettext as _
from marketplace.web.templating import send_letter

ERASE = "accounts.erase_account"
TRY_AGAIN = timedelta(seconds=10)
# The name of everybody who left, where a row must still point at somebody.
NO_NAME = "—"


@dataclass(frozen=True)
class Hindrance:
    """Why an account cannot be closed yet, and the page that helps."""

    message: str
    label: str
    href: str


# What the rooms above add. `Hindrances` and `Notes` speak to the person before they decide;
# a `Farewell` does what its room must before the rows go, and says whether they may go now.
Hindrances = Callable[[Session, AccountId], Sequence[Hindrance]]
Notes = Callable[[Session, AccountId], Sequence[str]]
Farewell = Callable[[Database, AccountId], bool]


class CannotLeave(Conflict):
    """Something must be settled before this account is closed."""


def hindrances(
    session: Session, account_id: AccountId, rooms: Sequence[Hindrances]
) -> list[Hindrance]:
    """Everything that must be settled first."""
    found = [each for room in rooms for each in room(session, account_id)]
    if operators(session) == [account_id]:
        found.append(
            Hindrance(
                _(
                    "You are the only one who runs this store. Make another operator first, with"
                    " the command: marketplace setup-link"
                ),
                _("To the operator's desk"),
                "/admin/",
            )
        )
    return found


def close(session: Session, account_id: AccountId, rooms: Sequence[Hindrances]) -> None:
    """Close an account: nobody is signed in as it any more, and it names nobody.

    Raises: CannotLeave, NoAccount.
    Effects: the end of its sessions and tokens, a last letter, the job that erases the rest.
    """
    account = known(session, account_id)
    if found := hindrances(session, account_id, rooms):
        raise CannotLeave(found[0].message)
    for table in (AccountSession, ApiToken):
        session.exec(delete(table).where(col(table.account_id) == account_id))
    mail.forget_letters_to(session, account.email)
    send_letter(session, "closed", to=account.email)
    account.sqlmodel_update(
        {
            "email": f"{account_id}@closed.invalid",
            "name": NO_NAME,
            "password_hash": None,
            "is_developer": False,
            "is_operator": False,
            "locale": None,
            "theme": None,
            "is_closed": True,
        }
    )
    jobs.enqueue(session, ERASE, account_id=str(account_id))


def erase(
    database: Database, account_id: AccountId, rooms: Sequence[Farewell], now: datetime
) -> None:
    """Erase every row that was a closed account's own; what points at them goes first.

    Effects: a transaction a table, so that others can write in between. While a room is not
    ready the job comes back later.
    """
    are_ready = [room(database, account_id) for room in rooms]
    if not all(are_ready):
        with database.writing() as session:
            jobs.enqueue(session, ERASE, run_at=now + TRY_AGAIN, account_id=str(account_id))
        return
    for table, rows in reversed([*belongings.leaving(account_id).items()]):
        with database.writing() as session:
            session.connection().execute(table.delete().where(rows))
