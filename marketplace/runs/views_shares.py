"""Runs that their people show to others."""

from uuid import UUID

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RunId
from marketplace.runs import queries, service, shares
from marketplace.web.auth import actor_id, signed_in_only
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _

bp = Blueprint("shares", __name__)


def _back(run_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("runs.show", run_id=run_id, _anchor="share"), code=303)


@bp.post("/runs/<uuid:run_id>/share")
@signed_in_only
def share(run_id: UUID) -> ResponseReturnValue:
    """Make a link to a finished run, or change what it shows."""
    run = service.own(db(), RunId(run_id), person_id=actor_id())
    shows_input = bool(request.form.get("shows_input"))
    shares.share(db(), run, shows_input=shows_input, now=utc_now())
    flash(_("Whoever has the link can see this result."), "success")
    return _back(run_id)


@bp.post("/runs/<uuid:run_id>/share/end")
@signed_in_only
def take_back(run_id: UUID) -> ResponseReturnValue:
    """End the link at once."""
    shares.take_back(db(), service.own(db(), RunId(run_id), person_id=actor_id()))
    flash(_("The link leads nowhere any more."), "success")
    return _back(run_id)


@bp.get("/shared/<token>")
def show(token: str) -> ResponseReturnValue:
    """A result, for whoever has the link; search engines are asked to leave it alone."""
    run, link = shares.shared(db(), token)
    page = queries.shared_page(db(), run, link, locale=current_locale())
    text = render_template("runs/shared.html", page=page)
    response: Response = current_app.make_response(text)
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
