"""What an app's page says to programs that read pages (schema.org, as JSON-LD)."""

from typing import Any

from marketplace.catalog.pages import AppPage
from marketplace.catalog.ranking import BEST, WORST

CONTEXT = "https://schema.org"


def of_app(page: AppPage, *, address: str, icon: str) -> dict[str, Any]:
    """A SoftwareApplication: the page's own facts, and no rating before there is one.

    Args:
        address, icon: whole addresses of the page and of the icon.
    """
    price = page.price
    facts: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "SoftwareApplication",
        "name": page.name,
        "description": page.summary,
        "url": address,
        "image": icon,
        "applicationCategory": page.category.name,
        "operatingSystem": "Web",
        "author": {"@type": "Person", "name": page.developer},
        "offers": {
            "@type": "Offer",
            "price": str(price.decimal()) if price else "0",
            "priceCurrency": price.currency if price else "USD",
            "url": address,
            "availability": f"{CONTEXT}/InStock",
        },
    }
    if page.versions:
        facts["softwareVersion"] = page.versions[0].version
    if page.ratings.average is not None:
        facts["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": round(page.ratings.average, 2),
            "ratingCount": page.ratings.count,
            "bestRating": BEST,
            "worstRating": WORST,
        }
    return facts
