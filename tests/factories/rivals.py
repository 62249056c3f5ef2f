"""Two transactions that want the same at once."""

from collections.abc import Callable
from threading import Thread

from sqlmodel import Session

from marketplace.infra.db import Database
from marketplace.kernel.errors import CaravanError

# Time enough for the second to be through, were nothing in its way.
PATIENCE_S = 0.4


def refusal_of_the_second(
    database: Database, action: Callable[[Session], object]
) -> CaravanError | None:
    """How an action is refused that begins while a first one is done but not yet committed."""
    refusals: list[CaravanError | None] = []

    def follow() -> None:
        try:
            with database.writing() as session:
                action(session)
        except CaravanError as error:
            refusals.append(error)
        else:
            refusals.append(None)

    second = Thread(target=follow)
    with database.writing() as session:
        action(session)
        session.flush()  # the rows must be in the first one's transaction
        second.start()
        second.join(PATIENCE_S)
    second.join()
    [refusal] = refusals
    return refusal
