"""A developer takes an app out of the store, and puts it back."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import service as catalog
from marketplace.publishing import queries
from marketplace.web.auth import actor_id, developer_only
from marketplace.web.edge import db
from marketplace.web.i18n import gettext as _

bp = Blueprint("listing", __name__)


@bp.post("/portal/apps/<ident>/withdraw")
@developer_only
def withdraw(ident: str) -> ResponseReturnValue:
    """Take an app out of the store until its developer wants it back."""
    catalog.withdraw(db(), queries.own_app(db(), ident, actor_id(), is_locked=True))
    flash(_("It is out of the store."), "success")
    return redirect(url_for("publishing.releases", ident=ident), code=303)


@bp.post("/portal/apps/<ident>/list-again")
@developer_only
def list_again(ident: str) -> ResponseReturnValue:
    """Put an app back that its developer took out."""
    catalog.list_again(db(), queries.own_app(db(), ident, actor_id(), is_locked=True))
    flash(_("It is in the store again."), "success")
    return redirect(url_for("publishing.releases", ident=ident), code=303)
