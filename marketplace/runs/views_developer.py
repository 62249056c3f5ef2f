"""What the `caravan` command asks of a store: its model, and the log of an app's runs."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from marketplace.catalog.models import Release
from marketplace.inference.ports import Finished, Generation, Inference, Piece
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import CaravanError, Invalid
from marketplace.kernel.ids import RunId
from marketplace.publishing import code
from marketplace.runs import budgets, frames, prompts, queries
from marketplace.runs.answers import broken_off
from marketplace.runs.audit import AuditLogs
from marketplace.runs.models import Run
from marketplace.runs.settings import RunSettings
from marketplace.sandbox.budgets import Amounts
from marketplace.sandbox.ports import Refused
from marketplace.web import sse
from marketplace.web.auth import actor_id, developer_only
from marketplace.web.edge import db
from marketplace.web.i18n import gettext as _

# All developers together stand in one queue of the engine, beside every app's.
QUEUE = "caravan.developers"
MOST_TOKENS = 2_048
MOST_RUNS = 100
LEVELS = ("info", "warning", "error")


class BadPrompt(Invalid):
    """The request is not what `ctx.llm` would send."""


def blueprint(
    database: Database,
    inference: Inference,
    audits: AuditLogs,
    blobs: Blobs,
    settings: RunSettings,
    *,
    streams: sse.Streams,
) -> Blueprint:
    """The API of developers at work; each answer counts in the developer's own hour."""
    bp = Blueprint("developer", __name__)

    @bp.post("/api/v1/model")
    @developer_only
    def model() -> ResponseReturnValue:
        """One answer of the store's model, streamed; the body is the payload of `llm.open`."""
        person_id = actor_id()
        try:
            asked = request.get_json(silent=True)
        except RecursionError:
            asked = None
        generation = _generation(asked, str(person_id))
        person = budgets.person(person_id, settings)
        budgets.check(db(), [person], now=utc_now())
        return streams.send(person_id, _answer(database, inference, generation, person))

    @bp.get("/api/v1/apps/<ident>/runs")
    @developer_only
    def runs(ident: str) -> ResponseReturnValue:
        """The newest runs of one of the developer's apps, and what the app logged in each.

        In another person's run an app's texts may be that person's: of a message there is the
        rule, of a traceback the places, and of a log line the level and the size.
        """
        limit = min(MOST_RUNS, max(1, request.args.get("limit", 20, type=int)))
        found = queries.of_developer(db(), ident, actor_id(), limit=limit)
        told = [
            _told(run, release, audits, blobs, is_own=run.person_id == actor_id())
            for run, release in found
        ]
        return jsonify({"runs": told})

    return bp


def _generation(payload: Any, person: str) -> Generation:
    if not isinstance(payload, dict):
        raise BadPrompt(_("Send a JSON object with `messages`."), rule="llm.payload")
    asked, schema = payload.get("max_tokens", 256), payload.get("json_schema")
    temperature = payload.get("temperature", 0.0)
    if not isinstance(asked, int) or not isinstance(temperature, int | float):
        raise BadPrompt(_("max_tokens and temperature are numbers."), rule="llm.payload")
    if schema is not None and not isinstance(schema, dict):
        raise BadPrompt(_("json_schema is a JSON Schema, an object."), rule="llm.schema")
    try:
        return Generation(
            request_id=f"developer-{uuid4()}",
            app=QUEUE,
            # Prompts share what was computed within a release: nobody times another's.
            release=f"{QUEUE}:{person}",
            person=person,
            messages=prompts.messages(payload),
            max_tokens=max(1, min(asked, MOST_TOKENS)),
            temperature=float(temperature),
            json_schema=schema,
            tools=prompts.tools(payload),
        )
    except Refused as refused:
        raise BadPrompt(refused.message, rule=refused.code) from refused


def _answer(
    database: Database,
    inference: Inference,
    generation: Generation,
    person: budgets.Party,
) -> Iterator[sse.Event | None]:
    """The events of one answer; a refusal of the engine is one too, for the status is sent."""
    number, stream = 0, inference.generate(generation)
    end: Finished | None = None
    try:
        for event in stream:
            number += 1
            match event:
                case Piece(text):
                    yield sse.Event(number, "piece", {"text": text})
                case Finished(reason):
                    end = event
                    yield sse.Event(number, "end", {"end": reason})
                case _:
                    yield None
    except CaravanError as error:
        yield sse.Event(number + 1, "refused", {"code": error.rule, "message": error.message})
    finally:
        # Whoever hangs up before the end pays for what was made until then.
        if end := end or broken_off(inference, generation.request_id, stream):
            _charge(database, person, end)


def _charge(database: Database, person: budgets.Party, end: Finished) -> None:
    with database.writing() as session:
        used = Amounts(llm_tokens=end.usage.charged_tokens)
        budgets.charge(session, [person], used, now=utc_now())


def _told(
    run: Run, release: Release, audits: AuditLogs, blobs: Blobs, *, is_own: bool
) -> dict[str, Any]:
    """One run as its app's developer may know it: not who ran it, nor what they wrote."""
    message, detail = run.error_message, run.error_detail
    if not is_own:
        message = None
        detail = detail and frames.of(detail, code.load(blobs, release))
    return {
        "run": str(run.id),
        "version": release.version,
        "action": run.action,
        "state": run.state.value,
        "created_at": run.created_at.isoformat(),
        "rule": run.error_rule,
        "message": message,
        "traceback": detail,
        "cpu_ms": run.cpu_ms,
        "wall_ms": run.wall_ms,
        "host_calls": run.host_calls,
        "generated_tokens": run.generated_tokens,
        "log": list(_log(audits, run.id, is_own=is_own)),
    }


def _log(audits: AuditLogs, run_id: RunId, *, is_own: bool) -> Iterator[dict[str, Any]]:
    for line in audits.lines(run_id):
        payload = line.get("payload")
        if line.get("op") == "log.write" and isinstance(payload, dict):
            level, text = payload.get("level"), str(payload.get("text"))
            yield {
                "level": level if level in LEVELS else "info",
                "at_ms": line.get("at_ms"),
                **({"text": text} if is_own else {"text_bytes": len(text.encode())}),
            }
