"""What a person has allowed apps, on one page."""

from functools import partial

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import queries as catalog
from marketplace.kernel.ids import AppId
from marketplace.runs import consent, queries
from marketplace.runs.executor import Executor
from marketplace.web.auth import actor_id, signed_in_only
from marketplace.web.edge import after_commit, db
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _


def blueprint(executor: Executor) -> Blueprint:
    """The page of consents, over the executor that stops what is no longer allowed."""
    bp = Blueprint("consent", __name__)

    @bp.get("/permissions")
    @signed_in_only
    def mine() -> ResponseReturnValue:
        """Every app this person has allowed something."""
        allowed = consent.mine(db(), actor_id(), locale=current_locale())
        return render_template("runs/permissions.html", page=allowed)

    @bp.post("/permissions/<ident>/revoke")
    @signed_in_only
    def revoke(ident: str) -> ResponseReturnValue:
        """Take back what an app was allowed, and stop what it does for this person now."""
        app, name = catalog.app_and_name(
            db(), catalog.app_by_ident(db(), ident).id, locale=current_locale()
        )
        consent.revoke(db(), actor_id(), app.id)
        for run_id in queries.going_of(db(), actor_id(), AppId(app.id)):
            after_commit(partial(executor.stop, run_id))
        flash(_("“%(name)s” may do nothing for you until you allow it again.", name=name))
        return redirect(url_for("consent.mine"), code=303)

    return bp
