"""Collections: their pages, and the desk where operators write them."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import editorial, forms_collections, queries_collections
from marketplace.catalog.models import Collection
from marketplace.catalog.pages import CollectionForm
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import CollectionId
from marketplace.web import i18n
from marketplace.web.auth import operator_only
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _
from marketplace.web.page_cache import forget_pages, kept

bp = Blueprint("collections", __name__)


@bp.get("/collections")
@kept
def all_shown() -> ResponseReturnValue:
    """Every collection that is shown."""
    cards = queries_collections.cards(db(), locale=current_locale())
    return render_template("catalog/collections.html", cards=cards)


@bp.get("/collections/<key>")
@kept
def one(key: str) -> ResponseReturnValue:
    """One collection and its apps."""
    page = queries_collections.page(db(), key, locale=current_locale())
    return render_template("catalog/collection.html", page=page)


@bp.get("/admin/collections")
@operator_only
def desk() -> ResponseReturnValue:
    """Every collection in its order, to be edited."""
    rows = queries_collections.rows(db(), locale=current_locale())
    return render_template("catalog/collections_desk.html", rows=rows)


@bp.get("/admin/collections/new")
@operator_only
def new() -> ResponseReturnValue:
    """An empty form."""
    return _form(None, {"is_shown": "true"})


@bp.post("/admin/collections")
@operator_only
def make() -> ResponseReturnValue:
    """Make a collection."""
    try:
        editorial.make(db(), forms_collections.read(request.form), now=utc_now())
    except Invalid as error:
        return _form(None, request.form.to_dict(), error), 422
    return _done(_("The collection stands in the store."))


@bp.get("/admin/collections/<uuid:collection_id>")
@operator_only
def edit(collection_id: UUID) -> ResponseReturnValue:
    """The form of one collection."""
    found = queries_collections.by_id(db(), CollectionId(collection_id))
    apps = queries_collections.idents(db(), found.id)
    return _form(found.id, _values(found, apps))


@bp.post("/admin/collections/<uuid:collection_id>")
@operator_only
def save(collection_id: UUID) -> ResponseReturnValue:
    """Change a collection."""
    known = CollectionId(collection_id)
    try:
        editorial.save(db(), known, forms_collections.read(request.form), now=utc_now())
    except Invalid as error:
        return _form(known, request.form.to_dict(), error), 422
    return _done(_("Saved."))


@bp.post("/admin/collections/<uuid:collection_id>/delete")
@operator_only
def remove(collection_id: UUID) -> ResponseReturnValue:
    """Delete a collection."""
    editorial.remove(db(), CollectionId(collection_id))
    return _done(_("The collection is deleted; its apps stay in the store."))


@bp.post("/admin/collections/<uuid:collection_id>/up")
@operator_only
def move_up(collection_id: UUID) -> ResponseReturnValue:
    """Let a collection change places with the one before it."""
    editorial.move_up(db(), CollectionId(collection_id))
    return _done("")


def _done(words: str) -> ResponseReturnValue:
    forget_pages()
    if words:
        flash(words, "success")
    return redirect(url_for("collections.desk"), code=303)


def _values(collection: Collection, apps: list[str]) -> dict[str, str]:
    texts = {
        f"{part}_{locale}": words
        for locale, parts in collection.texts.items()
        for part, words in parts.items()
    }
    switches = {"is_hero": collection.is_hero, "is_shown": collection.is_shown}
    chosen = {name: "true" if is_on else "" for name, is_on in switches.items()}
    return {**texts, **chosen, "apps": "\n".join(apps)}


def _form(
    collection_id: CollectionId | None, values: dict[str, str], error: Invalid | None = None
) -> str:
    page = CollectionForm(
        collection_id=collection_id,
        languages=i18n.languages(),
        values=values,
        errors=(error.fields or {"": error.message}) if error else {},
    )
    return render_template("catalog/collection_form.html", page=page)
