"""Asking for an app's beta versions, and going back."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import channels, queries
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import AppId
from marketplace.web.auth import actor_id, signed_in_only
from marketplace.web.edge import db
from marketplace.web.i18n import gettext as _

bp = Blueprint("channels", __name__)


@bp.post("/apps/<ident>/beta")
@signed_in_only
def choose(ident: str) -> ResponseReturnValue:
    """Take the beta versions of an app, or with `is_mine` empty its stable one again."""
    app_id = AppId(queries.app_by_ident(db(), ident).id)
    if request.form.get("is_mine"):
        channels.join(db(), app_id, actor_id(), now=utc_now())
        flash(_("You get beta versions of this app from now on."), "success")
    else:
        channels.leave(db(), app_id, actor_id())
        flash(_("You get the stable version again."), "success")
    return redirect(url_for("catalog.app", ident=ident), code=303)
