"""The page that answers what people ask first."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from marketplace.web.page_cache import kept

bp = Blueprint("help", __name__)


@bp.get("/help")
@kept
def show() -> ResponseReturnValue:
    """Questions and answers, the same for everybody."""
    return render_template("web/help.html")
