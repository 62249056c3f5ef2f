"""Advertising pages (first draft, replaced by the room's owner)."""

from flask import Blueprint

bp = Blueprint("ads", __name__)


@bp.get("/admin/ads")
def desk() -> str:
    """The desk."""
    return ""
