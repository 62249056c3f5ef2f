"""A run once more, with one press."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import RunId
from marketplace.runs import queries, service
from marketplace.runs.consent import ConsentNeeded
from marketplace.runs.preferences import SettingsNeeded
from marketplace.runs.starting import Starter, release_of
from marketplace.web.auth import actor_id, signed_in_only
from marketplace.web.edge import db, status_of


def blueprint(starter: Starter) -> Blueprint:
    """Repeats runs, over the executor of this process."""
    bp = Blueprint("repeating", __name__)

    @bp.post("/runs/<uuid:run_id>/again")
    @signed_in_only
    def again(run_id: UUID) -> ResponseReturnValue:
        """Run the same once more; where that cannot be, its form comes back filled."""
        engine = starter.engine_status()
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        app = catalog.app_by_ident(db(), db().get_one(App, run.app_id).ident)
        try:
            repeated = starter.again(app, run, engine=engine)
        except (Invalid, service.NotBought, ConsentNeeded, SettingsNeeded) as error:
            panel = queries.panel(
                db(),
                app,
                release_of(app),
                starter.vault,
                person_id=actor_id(),
                unavailable=None,
                again=run.id,
            )
            typed = queries.refilled(panel, panel.chosen, panel.values, error)
            return render_template("runs/form.html", page=typed), status_of(error)
        return redirect(url_for("runs.show", run_id=repeated.id), code=303)

    return bp
