"""What the books have to say to a person who leaves the store."""

from collections.abc import Sequence

from sqlmodel import Session

from marketplace.billing import queries
from marketplace.kernel.ids import AccountId
from marketplace.web.i18n import format_money
from marketplace.web.i18n import gettext as _


def notes(session: Session, person_id: AccountId) -> Sequence[str]:
    """What the store owes them, which nobody can pay out to somebody without a name."""
    owed = [amount for amount in queries.owed(session, person_id) if amount.micros > 0]
    return [
        _(
            "The store owes you %(amount)s. Ask its operator to pay you before you leave;"
            " afterwards nobody can tell to whom it belonged.",
            amount=format_money(amount),
        )
        for amount in owed
    ]
