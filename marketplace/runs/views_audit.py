"""What a run asked of the store, for the person who ran it and for those who answer for it."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, render_template, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import queries as catalog
from marketplace.kernel.ids import RunId
from marketplace.runs import audit, service
from marketplace.runs.audit import AuditLogs
from marketplace.runs.models import Run
from marketplace.runs.pages import AuditPage, CallRow
from marketplace.web.auth import known_actor, signed_in_only
from marketplace.web.edge import db
from marketplace.web.i18n import current_locale

ROWS_SHOWN = 200


def blueprint(audits: AuditLogs) -> Blueprint:
    """The audit logs of runs.

    The person gets all of their own log. The app's developer and the store's operators get the
    operations, times, sizes and refusals, and none of the person's words.
    """
    bp = Blueprint("audit", __name__)

    @bp.get("/runs/<uuid:run_id>/audit")
    @signed_in_only
    def show(run_id: UUID) -> ResponseReturnValue:
        """The calls of one run, as a page."""
        run = service.audited(db(), RunId(run_id), known_actor())
        app, name = catalog.app_and_name(db(), run.app_id, locale=current_locale())
        is_own = _is_own(run)
        lines = audits.lines(run.id) if is_own else map(audit.for_others, audits.lines(run.id))
        calls = (row for line in lines if (row := _row(line)) is not None)
        page = AuditPage(
            run=run,
            app=app,
            app_name=name,
            rows=list(islice(calls, ROWS_SHOWN)),
            more=sum(1 for _ in calls),
            has_contents=is_own,
            file_url=url_for("audit.file", run_id=run.id),
        )
        return render_template("runs/audit.html", page=page)

    @bp.get("/api/v1/runs/<uuid:run_id>/audit")
    @signed_in_only
    def file(run_id: UUID) -> ResponseReturnValue:
        """The log as JSON lines, which `caravan replay` reads."""
        run = service.audited(db(), RunId(run_id), known_actor())
        lines: Iterable[dict[str, Any]] = audits.lines(run.id)
        if not _is_own(run):
            lines = map(audit.for_others, lines)
        response = current_app.response_class(_texts(lines), mimetype="application/jsonl")
        response.headers["Content-Disposition"] = f"attachment; filename={run.id}.audit.jsonl"
        return response

    return bp


def _is_own(run: Run) -> bool:
    return run.person_id == known_actor().id


def _texts(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def _row(line: dict[str, Any]) -> CallRow | None:
    if "n" not in line:
        return None
    sizes = audit.without_contents(line)
    refused = line.get("refused") or {}
    return CallRow(
        number=line["n"],
        op=line["op"],
        at_ms=line["at_ms"],
        payload_bytes=sizes.get("payload_bytes", 0),
        answer_bytes=sizes.get("answer_bytes", 0),
        refusal=str(line.get("ended") or refused.get("code", "")),
    )
