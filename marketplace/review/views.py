"""The reviewers' desk. Views parse, call one service function, and answer."""

from dataclasses import replace
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.infra.blobs import Blobs
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import ReleaseId
from marketplace.review import queries, service
from marketplace.web.auth import actor_id, operator_only
from marketplace.web.edge import db
from marketplace.web.i18n import gettext as _


def blueprint(blobs: Blobs) -> Blueprint:
    """The desk's pages."""
    bp = Blueprint("review", __name__, url_prefix="/review")

    @bp.get("/")
    @operator_only
    def queue() -> ResponseReturnValue:
        """Releases waiting for a human, oldest first."""
        return render_template("review/queue.html", waiting=queries.waiting(db()))

    @bp.get("/releases/<uuid:release_id>")
    @operator_only
    def release(release_id: UUID) -> ResponseReturnValue:
        """One release: what it asks for, what the checks found, and its sources."""
        page = queries.release_page(
            db(), ReleaseId(release_id), blobs=blobs, reviewer_id=actor_id()
        )
        return render_template("review/release.html", page=page)

    @bp.post("/releases/<uuid:release_id>/approve")
    @operator_only
    def approve(release_id: UUID) -> ResponseReturnValue:
        """Approve one release and go back to the queue. Errors become 403, 404 or 409."""
        done = service.approve(db(), ReleaseId(release_id), reviewer_id=actor_id(), now=utc_now())
        flash(_("Version %(version)s is published.", version=done.version), "success")
        return redirect(url_for("review.queue"), code=303)

    @bp.post("/releases/<uuid:release_id>/reject")
    @operator_only
    def reject(release_id: UUID) -> ResponseReturnValue:
        """Turn one release down; without a reason the page comes back and asks for one."""
        reason = request.form.get("reason", "")
        try:
            done = service.reject(
                db(), ReleaseId(release_id), reviewer_id=actor_id(), reason=reason, now=utc_now()
            )
        except service.NoReason as error:
            page = queries.release_page(
                db(), ReleaseId(release_id), blobs=blobs, reviewer_id=actor_id()
            )
            page = replace(page, reason=reason, error=error.message)
            return render_template("review/release.html", page=page), 422
        flash(_("Version %(version)s is turned down.", version=done.version), "success")
        return redirect(url_for("review.queue"), code=303)

    return bp
