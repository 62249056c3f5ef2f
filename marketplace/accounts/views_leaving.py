"""How a person takes their data away, and how they leave."""

from collections.abc import Sequence

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue

from marketplace.accounts import closing, exports, forms, service
from marketplace.accounts.closing import Hindrances, Notes
from marketplace.accounts.exports import Exports
from marketplace.accounts.pages import ClosePage, DataPage
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.web.auth import (
    actor_id,
    clear_session_cookie,
    known_actor,
    session_secret,
    signed_in_only,
)
from marketplace.web.edge import database, db
from marketplace.web.forms import read
from marketplace.web.i18n import gettext as _

FIELD = "password"


def blueprint(made: Exports, rooms: Sequence[Hindrances], notes: Sequence[Notes]) -> Blueprint:
    """The pages of one's data and of leaving.

    Args:
        rooms: what each room above wants settled before somebody leaves; `notes`: what they
            should know before.
    """
    bp = Blueprint("leaving", __name__, url_prefix="/accounts")

    def vouched() -> None:
        form = read(forms.VouchForm, request.form)
        service.vouch(database(), actor_id(), password=form.password, field=FIELD, now=utc_now())

    def data_page(error: Invalid | None = None) -> DataPage:
        found = exports.present(db(), actor_id(), secret=session_secret(), now=utc_now())
        return DataPage(found, error.fields if error else {})

    def close_page(error: Invalid | None = None) -> ClosePage:
        person = known_actor()
        return ClosePage(
            email=person.email,
            hindrances=closing.hindrances(db(), person.id, rooms),
            notes=[each for room in notes for each in room(db(), person.id)],
            errors=error.fields if error else {},
        )

    @bp.get("/data")
    @signed_in_only
    def data() -> ResponseReturnValue:
        """What the store keeps of a person, and how far its file is."""
        return render_template("accounts/data.html", page=data_page())

    @bp.post("/data")
    @signed_in_only
    def ask() -> ResponseReturnValue:
        """Have the file made, for this browser."""
        try:
            vouched()
        except Invalid as error:
            return render_template("accounts/data.html", page=data_page(error)), 422
        exports.ask(db(), actor_id(), secret=session_secret(), now=utc_now())
        return redirect(url_for("leaving.data"), code=303)

    @bp.get("/data/file")
    @signed_in_only
    def file() -> ResponseReturnValue:
        """The finished file."""
        found = exports.finished(db(), actor_id(), secret=session_secret(), now=utc_now())
        name = f"{current_app.config['STORE_NAME'].lower()}-{found.asked_at:%Y-%m-%d}.zip"
        response: Response = send_file(
            made.path(found.id), "application/zip", as_attachment=True, download_name=name
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    @bp.get("/close")
    @signed_in_only
    def close() -> ResponseReturnValue:
        """What goes, what stays, and the form that does it."""
        return render_template("accounts/close.html", page=close_page())

    @bp.post("/close")
    @signed_in_only
    def close_now() -> ResponseReturnValue:
        """Close the account for good."""
        try:
            vouched()
        except Invalid as error:
            return render_template("accounts/close.html", page=close_page(error)), 422
        closing.close(db(), actor_id(), rooms)
        flash(_("Your account is closed. What was yours is being erased."), "success")
        response = current_app.make_response(redirect("/", code=303))
        clear_session_cookie(response)
        return response

    return bp
