"""The accounts room's work for later."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.accounts import closing, exports
from marketplace.accounts.closing import Farewell
from marketplace.accounts.exports import Exports
from marketplace.infra.jobs import Handler, JobContext
from marketplace.kernel.ids import AccountId

FORGET_EXPORTS = "accounts.forget_exports"
FORGET_S = 3600.0


def handlers(made: Exports, farewells: Sequence[Farewell]) -> dict[str, Handler]:
    """Job name → what does it.

    Args:
        farewells: what each room above does before a person's rows go.
    """

    def make_export(context: JobContext) -> None:
        made.make(context.database, UUID(context.payload["export_id"]), now=context.now)

    def erase_account(context: JobContext) -> None:
        account_id = AccountId(UUID(context.payload["account_id"]))
        closing.erase(context.database, account_id, farewells, context.now)
        made.forget(context.database, now=context.now)

    def forget_exports(context: JobContext) -> None:
        made.forget(context.database, now=context.now)

    return {
        exports.MAKE: make_export,
        closing.ERASE: erase_account,
        FORGET_EXPORTS: forget_exports,
    }


def schedules() -> dict[str, float]:
    """How often each job returns, in seconds."""
    return {FORGET_EXPORTS: FORGET_S}
