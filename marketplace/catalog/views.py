"""The storefront."""

from uuid import UUID

from flask import Blueprint, Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlmodel import Session

from marketplace.catalog import (
    first_page,
    icons,
    linked_data,
    queries,
    queries_ratings,
    shelves,
)
from marketplace.catalog.models import App
from marketplace.catalog.nearness import Meanings, NoMeanings
from marketplace.catalog.pages import Filters, Ratings
from marketplace.catalog.queries import PanelFor
from marketplace.catalog.ratings import HasBought
from marketplace.infra.blobs import Blobs
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AccountId
from marketplace.web.auth import actor
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale
from marketplace.web.page_cache import kept
from marketplace.web.paging import asked_page

ICON_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
PRICES = ("free", "paid")
NO_MEANINGS = NoMeanings()


def _filters(category: str) -> Filters:
    """What the address asks for; what it cannot mean is left out, as in a mistyped link."""
    price, sort = request.args.get("price", ""), request.args.get("sort", "")
    return Filters(
        category=category,
        price=price if price in PRICES else "",
        rated=request.args.get("rated") == "1",
        sort=sort if sort in shelves.ORDERS else "",
    )


def blueprint(
    blobs: Blobs, panel_for: PanelFor, has_bought: HasBought, meanings: Meanings = NO_MEANINGS
) -> Blueprint:
    """The storefront's pages.

    Args:
        panel_for: makes the run panel of an app's page; runs live on a higher floor.
        has_bought: whether a person has paid for something of an app; so do purchases.
        meanings: finds apps by what they mean.
    """
    bp = Blueprint("catalog", __name__)

    @bp.get("/")
    @kept
    def home() -> ResponseReturnValue:
        """What people see first."""
        person = actor()
        page = first_page.home(
            db(),
            locale=current_locale(),
            today=utc_now().date(),
            person_id=person.id if person and person.has_own_rows else None,
        )
        return render_template("catalog/home.html", page=page)

    @bp.get("/search", endpoint="search")
    @kept
    def find() -> ResponseReturnValue:
        """Search results, or every app when nothing is asked."""
        query = request.args.get("q", "").strip()
        filters = _filters(request.args.get("category", ""))
        if query:
            page = shelves.found(
                db(),
                query,
                filters,
                number=asked_page(shelves.LAST_PAGE),
                locale=current_locale(),
                # The session has begun nothing yet: no transaction waits for the engine.
                near=meanings.near(query),
            )
        else:
            page = shelves.shelf(
                db(), filters, number=asked_page(shelves.LAST_PAGE), locale=current_locale()
            )
        return render_template("catalog/shelf.html", page=page)

    @bp.get("/search/suggestions")
    @kept
    def suggestions() -> ResponseReturnValue:
        """The best few results, for the list below the search field."""
        query = request.args.get("q", "").strip()
        tiles = shelves.suggested(db(), query, locale=current_locale())
        return render_template("catalog/_suggestions.html", tiles=tiles)

    @bp.get("/categories/<key>")
    @kept
    def category(key: str) -> ResponseReturnValue:
        """One shelf."""
        page = shelves.shelf(
            db(), _filters(key), number=asked_page(shelves.LAST_PAGE), locale=current_locale()
        )
        return render_template("catalog/shelf.html", page=page)

    @bp.get("/apps/<ident>")
    @kept
    def app(ident: str) -> ResponseReturnValue:
        """One app, with the panel to run it."""
        person = actor()

        def ratings_for(session: Session, app: App) -> Ratings:
            return queries_ratings.ratings(
                session, app, person_id=person.id if person else None, has_bought=has_bought
            )

        page = queries.app_page(
            db(),
            ident,
            locale=current_locale(),
            panel_for=panel_for,
            ratings_for=ratings_for,
            person_id=person.id if person else None,
        )
        root = current_app.config["PUBLIC_URL"]
        address = root + url_for("catalog.app", ident=ident)
        linked = linked_data.of_app(
            page, address=address, icon=root + url_for("catalog.icon", ident=ident)
        )
        return render_template("catalog/app.html", page=page, address=address, linked=linked)

    @bp.get("/apps/<ident>/icon")
    def icon(ident: str) -> ResponseReturnValue:
        """An app's icon, or one drawn from its name; never able to run anything."""
        key, kind = queries.icon(db(), ident)
        data = blobs.get(key) if key else icons.generated(ident).encode()
        response: Response = current_app.response_class(data, mimetype=kind)
        response.headers["Content-Security-Policy"] = ICON_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.cache_control.public = True
        response.cache_control.max_age = 3600
        response.add_etag()
        return response.make_conditional(request)

    @bp.get("/apps/<ident>/screenshots/<key>")
    def screenshot(ident: str, key: str) -> ResponseReturnValue:
        """A picture of an app at work; its address changes with its content."""
        data = blobs.get(queries.screenshot(db(), ident, key))
        response: Response = current_app.response_class(data, mimetype="image/webp")
        response.headers["Content-Security-Policy"] = ICON_POLICY
        response.cache_control.public = True
        response.cache_control.max_age = 24 * 3600
        response.set_etag(key)
        return response.make_conditional(request)

    @bp.get("/developers/<uuid:developer_id>")
    def developer(developer_id: UUID) -> ResponseReturnValue:
        """One developer's apps."""
        page = queries.developer(db(), AccountId(developer_id), locale=current_locale())
        return render_template("catalog/developer.html", page=page)

    return bp
