"""Views and clicks of advertisements, and the operator's campaigns."""

from uuid import UUID

from babel import Locale
from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from marketplace.ads import campaigns, queries, service
from marketplace.ads.forms import CampaignForm
from marketplace.ads.models import FlightState
from marketplace.ads.pages import FormPage
from marketplace.catalog import categories
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import FlightId
from marketplace.web.auth import actor_id, operator_only
from marketplace.web.edge import database, db
from marketplace.web.forms import BadForm, read
from marketplace.web.i18n import current_locale, locales
from marketplace.web.i18n import gettext as _

bp = Blueprint("ads", __name__)


@bp.post("/ads/offers/<nonce>/view")
def view(nonce: str) -> ResponseReturnValue:
    """The page tells that a person has really seen an advertisement."""
    service.record_view(db(), nonce, now=utc_now())
    return "", 204


@bp.get("/ads/offers/<nonce>/click")
def click(nonce: str) -> ResponseReturnValue:
    """Count a click and go to the advertiser: only ever to the address kept with the creative."""
    url = service.destination(db(), nonce)
    if request.method == "GET" and not _is_fetched_ahead():
        # A link is followed with GET, whose session only reads.
        with database().writing() as session:
            service.record_click(session, nonce, now=utc_now())
    response: Response = make_response(redirect(url, code=303))
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_fetched_ahead() -> bool:
    """Whether a browser or program fetches the link before anybody followed it."""
    said = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    return "prefetch" in said.lower()


@bp.get("/admin/ads")
@operator_only
def desk() -> ResponseReturnValue:
    """Every campaign, its money, and what came of it."""
    return render_template("ads/desk.html", page=queries.desk(db()))


@bp.get("/admin/ads/new")
@operator_only
def new() -> ResponseReturnValue:
    """The form of a new campaign."""
    today = utc_now().date().isoformat()
    return render_template("ads/form.html", page=_form_page({"starts_on": today}))


@bp.post("/admin/ads/new")
@operator_only
def launch() -> ResponseReturnValue:
    """Make a campaign and pay its budget in, with play money."""
    try:
        plan = read(CampaignForm, request.form).plan()
    except BadForm as error:
        page = _form_page(request.form.to_dict(), error)
        return render_template("ads/form.html", page=page), 422
    campaigns.launch(db(), plan, owner_id=actor_id(), now=utc_now())
    flash(_("The campaign is live from its first day."), "success")
    return redirect(url_for("ads.desk"), code=303)


@bp.post("/admin/ads/flights/<uuid:flight_id>/state")
@operator_only
def set_state(flight_id: UUID) -> ResponseReturnValue:
    """Pause a flight, or let it go on."""
    is_paused = request.form.get("state") == FlightState.PAUSED
    state = FlightState.PAUSED if is_paused else FlightState.LIVE
    campaigns.set_state(db(), FlightId(flight_id), state)
    flash(_("The campaign is paused.") if is_paused else _("The campaign goes on."), "success")
    return redirect(url_for("ads.desk"), code=303)


def _form_page(values: dict[str, str], error: Invalid | None = None) -> FormPage:
    return FormPage(
        values=values,
        errors=error.fields if error else {},
        categories=[(key, categories.name(key)) for key in categories.TABLE],
        locales=[
            (tag, Locale.parse(tag).get_display_name(current_locale()) or tag) for tag in locales()
        ],
    )
