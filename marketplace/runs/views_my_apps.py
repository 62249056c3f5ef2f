"""The page of the apps that a person has."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from marketplace.runs import my_apps
from marketplace.web.auth import actor_id, signed_in_only
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale
from marketplace.web.paging import asked_page

bp = Blueprint("my_apps", __name__)


@bp.get("/my-apps")
@signed_in_only
def mine() -> ResponseReturnValue:
    """The apps this person ran or bought."""
    page = my_apps.of(db(), actor_id(), number=asked_page(), locale=current_locale())
    return render_template("runs/my_apps.html", page=page)
