"""The developer portal, and the door through which every release comes."""

from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from marketplace.catalog.models import App, Channel, Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Conflict, Forbidden, Invalid, TooLarge
from marketplace.kernel.ids import ReleaseId
from marketplace.publishing import queries, service
from marketplace.publishing.pages import Portal, UploadForm
from marketplace.publishing.queries import EarnedBy, Findings
from marketplace.publishing.service import Publisher
from marketplace.publishing.settings import PublishingSettings
from marketplace.web.auth import actor, actor_id, developer_only, known_actor
from marketplace.web.edge import db, status_of
from marketplace.web.i18n import gettext as _

FIELD = "bundle"


class NoBundle(Invalid):
    """The request brought no file."""


class NoChannel(Invalid):
    """The request names a channel that no release can have."""


def blueprint(
    blobs: Blobs, settings: PublishingSettings, earned_by: EarnedBy, findings: Findings
) -> Blueprint:
    """The portal's pages and API.

    Args:
        earned_by: what each app of a developer earned, from the ledger.
        findings: what the checks found, from the review room.
    """
    bp = Blueprint("publishing", __name__)

    def take() -> Release:
        upload = request.files.get(FIELD)
        data = upload.read() if upload else b""
        if not data:
            raise NoBundle(_("Choose a .caravan file; `caravan build` makes one."))
        channel = request.form.get("channel") or Channel.STABLE
        if channel not in set(Channel):
            raise NoChannel(
                _(
                    "“%(channel)s” is no channel; there are: %(known)s.",
                    channel=channel,
                    known=", ".join(Channel),
                ),
                rule="release.channel",
            )
        person = known_actor()
        publisher = Publisher(
            person.id,
            is_operator=person.is_operator,
            uploads_a_day=settings.uploads_a_day,
        )
        return service.submit(
            db(), publisher, data, channel=Channel(channel), blobs=blobs, now=utc_now()
        )

    @bp.get("/portal/")
    def portal() -> ResponseReturnValue:
        """A developer's apps; for others, how to become one."""
        person = actor()
        is_developer = person is not None and person.is_developer
        rows = queries.apps(db(), actor_id(), earned_by) if is_developer else ()
        page = Portal(is_developer, rows, current_app.config["PUBLIC_URL"])
        return render_template("portal/home.html", page=page)

    @bp.get("/portal/apps/<ident>")
    @developer_only
    def releases(ident: str) -> ResponseReturnValue:
        """The versions of one app and what their checks found."""
        page = queries.releases(db(), ident, actor_id(), findings)
        return render_template("portal/releases.html", page=page)

    @bp.get("/portal/upload")
    @developer_only
    def upload_form() -> ResponseReturnValue:
        """The form that takes a bundle."""
        return render_template("portal/upload.html", page=UploadForm())

    @bp.post("/portal/upload")
    @developer_only
    def upload() -> ResponseReturnValue:
        """Take a bundle from the form; what is wrong with it is told on the page."""
        try:
            release = take()
        except (Invalid, TooLarge, Conflict, Forbidden) as error:
            chosen = request.form.get("channel", "")
            page = UploadForm(error.message, error.details.get("findings", ()), chosen)
            return render_template("portal/upload.html", page=page), status_of(error)
        if release.state is ReleaseState.PUBLISHED:
            flash(_("Version %(version)s is stable now.", version=release.version))
        else:
            flash(_("Version %(version)s is uploaded and being checked.", version=release.version))
        ident = db().get_one(App, release.app_id).ident
        return redirect(url_for("publishing.releases", ident=ident), code=303)

    @bp.post("/api/v1/releases")
    @developer_only
    def api_upload() -> ResponseReturnValue:
        """Take a bundle from a program."""
        return jsonify(_summary(take())), 201

    @bp.get("/api/v1/apps/<ident>/releases")
    @developer_only
    def api_releases(ident: str) -> ResponseReturnValue:
        """The versions of one app, newest first, each with what its checks found."""
        page = queries.releases(db(), ident, actor_id(), findings)
        rows = [
            {
                "release": row.id,
                "version": row.version,
                "channel": row.channel,
                "state": row.state,
                "created_at": row.created_at.isoformat(),
                "verdict": row.verdict,
                "checks": row.checks,
            }
            for row in page.releases
        ]
        return jsonify({"app": ident, "is_listed": page.is_listed, "releases": rows})

    @bp.get("/api/v1/releases/<uuid:release_id>")
    @developer_only
    def api_release(release_id: UUID) -> ResponseReturnValue:
        """How far a release is, and what its checks found."""
        release = queries.release_of(db(), ReleaseId(release_id), actor_id())
        checks = findings(db(), [release.id]).get(release.id, [])
        return jsonify({**_summary(release), "checks": checks, "verdict": release.verdict})

    return bp


def _summary(release: Release) -> dict[str, Any]:
    ident = db().get_one(App, release.app_id).ident
    # Until it is published, its developer alone has a page to look at.
    page = "catalog.app" if release.state is ReleaseState.PUBLISHED else "publishing.releases"
    return {
        "release": str(release.id),
        "app": ident,
        "version": release.version,
        "channel": release.channel.value,
        "state": release.state.value,
        "checks_url": url_for("publishing.api_release", release_id=release.id, _external=True),
        "url": url_for(page, ident=ident, _external=True),
    }
