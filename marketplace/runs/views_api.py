"""Runs for programs: started with JSON and files, looked at, stopped."""

from typing import Any
from uuid import UUID

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import queries as catalog
from marketplace.kernel import strict_json
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import RunId
from marketplace.runs import service, uploads
from marketplace.runs.keepable import mended
from marketplace.runs.models import Run
from marketplace.runs.starting import Starter, release_of, schema_of
from marketplace.web.auth import actor_id, signed_in_only
from marketplace.web.edge import db
from marketplace.web.i18n import gettext as _


def blueprint(starter: Starter) -> Blueprint:
    """The runs room's API. Its runs have no page, so nobody can be asked in the middle of one."""
    bp = Blueprint("runs_api", __name__)

    @bp.post("/api/v1/apps/<ident>/runs")
    @signed_in_only
    def start(ident: str) -> ResponseReturnValue:
        """Run an app: `{"action", "input", "allow": [permission]}` as JSON.

        With files it is a multipart form: that JSON in the part `run`, and each file in a part
        named after its field.
        """
        engine = starter.engine_status()
        app = catalog.app_by_ident(db(), ident)
        asked = _asked()
        schema = schema_of(release_of(app), str(asked.get("action", "")))
        taken = uploads.take(schema, request.files, most_bytes=starter.settings.file_bytes)
        values = uploads.with_files(mended(asked.get("input", {})), schema, taken)
        allowed = [str(each) for each in asked.get("allow") or ()]
        run = starter.start(
            app, str(asked["action"]), values, taken, allowed=allowed, engine=engine
        )
        return jsonify(_told(run)), 201

    @bp.get("/api/v1/runs/<uuid:run_id>")
    @signed_in_only
    def show(run_id: UUID) -> ResponseReturnValue:
        """How far one of this person's runs is, and once it has ended what came out."""
        return jsonify(_told(service.own(db(), RunId(run_id), person_id=actor_id())))

    @bp.post("/api/v1/runs/<uuid:run_id>/stop")
    @signed_in_only
    def stop(run_id: UUID) -> ResponseReturnValue:
        """Stop a run of this person."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        if not run.has_ended:
            starter.executor.stop(run.id)
        return "", 204

    return bp


def _asked() -> dict[str, Any]:
    try:
        text = request.get_data(as_text=True) if request.is_json else request.form.get("run", "")
        asked = strict_json.parsed(text)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("input", {}), dict):
        raise Invalid(
            _("Send JSON with “action” and “input”; with files, in the part “run” of a form."),
            rule="runs.json",
        )
    return asked


def _told(run: Run) -> dict[str, Any]:
    return {
        "run": str(run.id),
        "state": run.state.value,
        "action": run.action,
        "output": run.output,
        "rule": run.error_rule,
        "message": run.error_message,
        "model": run.model,
        "generated_tokens": run.generated_tokens,
        "price_micros": run.price_micros,
        "currency": run.currency,
        "url": url_for("runs_api.show", run_id=run.id, _external=True),
    }
