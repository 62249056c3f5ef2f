"""The store for programs: robots.txt, sitemaps, the feed of new apps, and what installs it."""

from email.utils import format_datetime

from flask import Blueprint, Response, current_app, jsonify, render_template, send_from_directory
from flask.typing import ResponseReturnValue

from marketplace.catalog import categories, queries_feeds
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale, direction

bp = Blueprint("feeds", __name__)

# What is only for the person who is signed in, or only for the store.
PRIVATE = ("/accounts/", "/admin/", "/checkout/", "/portal/", "/purchases", "/review/", "/runs")
NIGHT = "#181b3a"


def _xml(text: str, kind: str = "application/xml") -> Response:
    return current_app.response_class(text, mimetype=kind)


@bp.get("/robots.txt")
def robots() -> ResponseReturnValue:
    """What visiting programs may read."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in (*PRIVATE, "/apps/*/report")),
        f"Sitemap: {current_app.config['PUBLIC_URL']}/sitemap.xml",
    ]
    return current_app.response_class("\n".join(lines) + "\n", mimetype="text/plain")


@bp.get("/sitemap.xml")
def sitemap() -> ResponseReturnValue:
    """The files of addresses there are."""
    numbers = range(1, queries_feeds.files(db()) + 1)
    return _xml(render_template("catalog/sitemaps.xml", numbers=numbers))


@bp.get("/sitemaps/<int(min=1, max=10000):number>.xml")
def addresses(number: int) -> ResponseReturnValue:
    """One file of addresses; the first begins with the shelves."""
    shelves = list(categories.TABLE) if number == 1 else []
    idents = queries_feeds.idents(db(), number)
    return _xml(render_template("catalog/sitemap.xml", idents=idents, shelves=shelves))


@bp.get("/feeds/new.xml")
def new_apps() -> ResponseReturnValue:
    """The newest apps as RSS 2.0, in the reader's language."""
    found = queries_feeds.newest(db(), locale=current_locale())
    entries = [(app, format_datetime(app.published_at)) for app in found]
    return _xml(render_template("catalog/new.xml", entries=entries), "application/rss+xml")


@bp.get("/manifest.webmanifest")
def manifest() -> ResponseReturnValue:
    """How the store is installed as an app of its own."""
    locale = current_locale()
    name = current_app.config["STORE_NAME"]
    answer = jsonify(
        id="/",
        name=name,
        short_name=name,
        lang=locale,
        dir=direction(locale),
        start_url="/",
        scope="/",
        display="standalone",
        background_color=NIGHT,
        theme_color=NIGHT,
        icons=[
            {"src": "/static/img/favicon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "/static/img/icon-192.png", "sizes": "192x192", "type": "image/png"},
            {
                "src": "/static/img/icon-512.png",
                "sizes": "512x512",
                "type": "image/png",
                "purpose": "any maskable",
            },
        ],
    )
    answer.mimetype = "application/manifest+json"
    return answer


@bp.get("/sw.js")
def worker() -> ResponseReturnValue:
    """The service worker; it must lie at the root to answer for every page."""
    answer = send_from_directory(f"{current_app.static_folder}/js", "offline_worker.js")
    answer.cache_control.max_age = None
    answer.cache_control.no_cache = True
    return answer


@bp.get("/offline")
def offline() -> ResponseReturnValue:
    """The page that is shown when the store cannot be reached."""
    return render_template("catalog/offline.html")
