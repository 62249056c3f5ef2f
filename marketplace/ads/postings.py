"""What the ledger books for a campaign: paid in, promised, earned, or released. Pure."""

from uuid import UUID

from marketplace.billing import ledger
from marketplace.billing.shares import Scheme
from marketplace.kernel.ids import AccountId, CampaignId
from marketplace.kernel.money import Money


def top_up(key: str, campaign_id: CampaignId, amount: Money) -> ledger.Transaction:
    """An advertiser pays in."""
    return ledger.transaction(
        "ads.topped_up", key, {ledger.TILL: amount, ledger.prepaid(campaign_id): -amount}
    )


def reserve(offer_id: UUID, campaign_id: CampaignId, price: Money) -> ledger.Transaction:
    """An offer was made: its price is set aside."""
    return ledger.transaction(
        "ads.reserved",
        f"ad-offer:{offer_id}:reserved",
        {ledger.prepaid(campaign_id): price, ledger.reserved(campaign_id): -price},
    )


def commit(
    offer_id: UUID,
    campaign_id: CampaignId,
    price: Money,
    scheme: Scheme,
    developer_id: AccountId,
) -> ledger.Transaction:
    """What was set aside is earned, by the app's developer and the store."""
    developer, store = scheme.split(price)
    return ledger.transaction(
        "ads.committed",
        f"ad-offer:{offer_id}:settled",
        {
            ledger.reserved(campaign_id): price,
            ledger.developer(developer_id): -developer,
            ledger.ADS_MARGIN: -store,
        },
    )


def void(offer_id: UUID, campaign_id: CampaignId, price: Money) -> ledger.Transaction:
    """What was set aside goes back. Its key is that of `commit`: an offer settles once."""
    return ledger.transaction(
        "ads.voided",
        f"ad-offer:{offer_id}:settled",
        {ledger.reserved(campaign_id): price, ledger.prepaid(campaign_id): -price},
        corrects=f"ad-offer:{offer_id}:reserved",
    )
