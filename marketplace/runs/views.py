"""Pages and streams of runs."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from caravan import forms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import queries as catalog
from marketplace.catalog import wording
from marketplace.catalog.models import AppState, Release
from marketplace.infra.db import Database
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import RunId
from marketplace.runs import (
    budgets,
    consent,
    fields,
    preferences,
    queries,
    service,
    shares,
    stream,
    uploads,
)
from marketplace.runs.events import EventLogs
from marketplace.runs.models import Run
from marketplace.runs.pages import QuestionForm, RunPage
from marketplace.runs.preferences import SettingsNeeded
from marketplace.runs.questions import Question, Questions
from marketplace.runs.settings import RunSettings
from marketplace.runs.starting import Starter, release_of, schema_of
from marketplace.web import sse
from marketplace.web.auth import actor_id, signed_in_only, wants_json
from marketplace.web.edge import db, status_of
from marketplace.web.i18n import current_locale
from marketplace.web.paging import asked_page


def blueprint(
    database: Database,
    logs: EventLogs,
    questions: Questions,
    starter: Starter,
    streams: sse.Streams,
) -> Blueprint:
    """The runs room's pages, over the executor of this process."""
    bp = Blueprint("runs", __name__)

    @bp.post("/apps/<ident>/runs")
    @signed_in_only
    def start(ident: str) -> ResponseReturnValue:
        """Run an app with the form's values and files, and go to the run's page."""
        engine = starter.engine_status()
        app = catalog.app_by_ident(db(), ident)
        action, release = request.form.get("-action", ""), release_of(app)
        schema = schema_of(release, action)
        taken = uploads.take(schema, request.files, most_bytes=starter.settings.file_bytes)
        values = fields.values_of(request.form, schema, taken.values)
        allowed = request.form.get("-allow", "").split(consent.COMMA)
        try:
            run = starter.start(
                app,
                action,
                values,
                taken,
                allowed=allowed,
                engine=engine,
                has_page=not wants_json(),
            )
        except (service.BadInput, consent.ConsentNeeded, SettingsNeeded) as error:
            if wants_json():
                raise
            panel = queries.panel(
                db(), app, release, starter.vault, person_id=actor_id(), unavailable=None
            )
            typed = queries.refilled(panel, action, forms.typed(request.form, schema), error)
            return render_template("runs/form.html", page=typed), status_of(error)
        return redirect(url_for("runs.show", run_id=run.id), code=303)

    @bp.get("/runs")
    @signed_in_only
    def mine() -> ResponseReturnValue:
        """This person's runs."""
        page = queries.mine(
            db(),
            actor_id(),
            starter.settings,
            number=asked_page(),
            locale=current_locale(),
            now=utc_now(),
        )
        return render_template("runs/mine.html", page=page)

    @bp.get("/runs/<uuid:run_id>")
    @signed_in_only
    def show(run_id: UUID) -> ResponseReturnValue:
        """One run: streaming while it goes on, finished afterwards."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        return render_template("runs/run.html", page=_page(run, _asked(run.id), starter.settings))

    @bp.get("/runs/<uuid:run_id>/events")
    @signed_in_only
    def events(run_id: UUID) -> ResponseReturnValue:
        """The run's events from where this reader was (Last-Event-ID)."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        drawn = stream.drawn(
            database,
            logs,
            run.id,
            asked=_asked,
            settings=starter.settings,
            after=sse.last_event_id(),
        )
        return streams.send(actor_id(), drawn)

    @bp.post("/runs/<uuid:run_id>/answers")
    @signed_in_only
    def answer(run_id: UUID) -> ResponseReturnValue:
        """Answer the form that a run waits for; one that is answered already changes nothing."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        asked = _asked(run.id)
        if asked is not None and str(asked.number) == request.form.get("-number"):
            values = fields.values_of(request.form, asked.schema)
            if wrong := fields.problems(values, asked.schema):
                typed = forms.typed(request.form, asked.schema)
                asked = replace(asked, values=typed, errors=wrong)
                if _is_script():
                    return render_template("runs/_question.html", question=asked), 422
                return render_template(
                    "runs/run.html", page=_page(run, asked, starter.settings)
                ), 422
            questions.answer(run.id, asked.number, values)
        if _is_script():
            return "", 204
        return redirect(url_for("runs.show", run_id=run.id), code=303)

    @bp.post("/runs/<uuid:run_id>/stop")
    @signed_in_only
    def stop(run_id: UUID) -> ResponseReturnValue:
        """Stop a run; its page then shows what was made so far."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        if not run.has_ended:
            starter.executor.stop(run.id)
        if _is_script():
            return "", 204
        return redirect(url_for("runs.show", run_id=run.id), code=303)

    def _asked(run_id: RunId) -> QuestionForm | None:
        found = questions.pending(run_id)
        return None if found is None else _drawn(database, run_id, found)

    return bp


def _drawn(database: Database, run_id: RunId, question: Question) -> QuestionForm:
    """A form in the middle of a run, in the reader's language where the app has it."""
    # In a stream there is no session of the request any more.
    with database.reading() as session:
        release = session.get_one(Release, session.get_one(Run, run_id).release_id)
    words = wording.words(release, current_locale())
    return QuestionForm(
        number=question.number,
        title=words.get(question.title, question.title),
        schema=wording.translated(question.schema, words),
        until=datetime.fromtimestamp(question.until, UTC),
        url=url_for("runs.answer", run_id=run_id),
    )


def _is_script() -> bool:
    """Whether a script of our page asks, which goes on by itself."""
    return request.headers.get("Sec-Fetch-Mode") == "cors"


def _page(run: Run, question: QuestionForm | None, settings: RunSettings) -> RunPage:
    app, name = catalog.app_and_name(db(), run.app_id, locale=current_locale())
    release = db().get_one(Release, run.release_id)
    action = queries.action_of(db(), run, locale=current_locale())
    is_listed = app.state is AppState.LISTED
    return RunPage(
        run=run,
        app=app,
        app_name=name,
        action_title=action["title"],
        inputs=queries.inputs(run, action),
        items=stream.items_of(db(), run),
        receipt=queries.receipt(db(), run) if run.has_ended else None,
        share=shares.of(db(), run),
        hour=budgets.hour(db(), run.person_id, settings, now=utc_now()),
        question=None if run.has_ended else question,
        events_url=url_for("runs.events", run_id=run.id),
        stop_url=url_for("runs.stop", run_id=run.id),
        again_url=url_for("repeating.again", run_id=run.id) if is_listed else "",
        edit_url=url_for("catalog.app", ident=app.ident, again=str(run.id)) + "#run"
        if is_listed
        else "",
        has_settings=preferences.is_asked(release.manifest),
    )
