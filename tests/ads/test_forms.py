"""The form of a campaign: what is taken, and what is said of the rest."""

from datetime import UTC, datetime

import pytest

from marketplace.ads.auction import Pricing
from marketplace.ads.campaigns import Plan
from marketplace.ads.forms import CampaignForm
from marketplace.kernel.money import Money
from marketplace.web.forms import BadForm, read

CAMPAIGN = {
    "csrf_token": "0",
    "advertiser": "Dune Tea",
    "name": "Spring",
    "headline": " Tea for the road ",
    "text": "A tin that keeps for a month.",
    "cta": "See the tins",
    "url": "https://tea.example.org/tins",
    "pricing": "cpc",
    "bid": "0.25",
    "budget": "50",
    "starts_on": "2026-03-01",
    "ends_on": "2026-03-31",
    "category": "",
    "locale": "en",
}


def test_a_campaign_runs_from_its_first_day_to_the_end_of_its_last() -> None:
    assert read(CampaignForm, CAMPAIGN).plan() == Plan(
        advertiser="Dune Tea",
        name="Spring",
        headline="Tea for the road",
        text="A tin that keeps for a month.",
        cta="See the tins",
        url="https://tea.example.org/tins",
        pricing=Pricing.CPC,
        bid=Money(250_000, "USD"),
        budget=Money(50_000_000, "USD"),
        starts_at=datetime(2026, 3, 1, tzinfo=UTC),
        ends_at=datetime(2026, 4, 1, tzinfo=UTC),
        categories=(),
        locales=("en",),
    )


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("headline", None, "fill this in"),
        ("headline", "", "fill this in"),
        ("headline", "x" * 61, "at most 60 characters"),
        ("headline", "two\nlines", "one line"),
        ("url", "http://tea.example.org", "begins with https://"),
        ("url", "https://", "begins with https://"),
        ("url", "https://user@tea.example.org", "begins with https://"),
        ("url", "javascript:alert(1)", "begins with https://"),
        ("bid", "much", "amount such as"),
        ("bid", "-1", "more than nothing"),
        ("bid", "NaN", "amount such as"),
        ("bid", "0.001", "at least 0.01"),
        ("budget", "0.2", "pays for one at least"),
        ("budget", "1000000.01", "more than nothing"),
        ("starts_on", "soon", "Write a day"),
        ("ends_on", "2026-02-28", "before the first"),
        ("pricing", "free", "not accepted"),
        ("category", "politics", "Choose one"),
        ("locale", "tlh", "Choose one"),
        ("surprise", "1", "no such field"),
    ],
)
def test_a_campaign_that_cannot_be_says_why(field: str, value: str | None, words: str) -> None:
    sent = {key: text for key, text in {**CAMPAIGN, field: value}.items() if text is not None}
    with pytest.raises(BadForm) as refused:
        read(CampaignForm, sent)
    [(where, sentence)] = refused.value.fields.items()
    assert where in {field, ""}
    assert words in sentence
