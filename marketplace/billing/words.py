"""The book in plain words: accounts and kinds of transactions, as people read them."""

from marketplace.billing import ledger
from marketplace.billing.pages import Line
from marketplace.kernel.money import Money
from marketplace.web.i18n import gettext as _


def kind(name: str) -> str:
    """What happened."""
    known = {
        "order.paid": _("Sale"),
        "order.refunded": _("Refund"),
        "ads.topped_up": _("Advertiser paid in"),
        "ads.reserved": _("Set aside for an advertisement"),
        "ads.committed": _("Advertisement paid"),
        "ads.voided": _("Advertisement not shown, money released"),
    }
    return known.get(name, name)


def account(code: str, developer: str = "") -> str:
    """Whose money it is.

    Args:
        developer: what a developer is called where it is plain which one is meant.
    """
    known = {
        ledger.TILL: _("Till (play money)"),
        ledger.COMMISSION: _("The store's share of sales"),
        ledger.ADS_MARGIN: _("The store's share of advertisements"),
    }
    if code in known:
        return known[code]
    # `liab:dev:<id>:pending` and `liab:adv:<id>:prepaid`: the start of the id tells them apart.
    _side, party, owner, purse = code.split(":")
    if party == "dev":
        return developer or _("Developer %(id)s", id=owner[-6:])
    if purse == "reserved":
        return _("Campaign %(id)s, set aside", id=owner[-6:])
    return _("Campaign %(id)s, paid in", id=owner[-6:])


def line(code: str, amount: Money, developer: str = "") -> Line:
    """One posting; money that came to its owner is positive, wherever it stands in the book."""
    if code == ledger.TILL:
        return Line(account(code), amount)
    return Line(account(code, developer), -amount)
