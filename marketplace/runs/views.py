"""Pages and streams of runs."""

from uuid import UUID

from caravan import forms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import queries as catalog
from marketplace.catalog import wording
from marketplace.catalog.models import Release
from marketplace.infra.db import Database
from marketplace.infra.vault import Vault
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import RunId
from marketplace.runs import consent, fields, preferences, queries, service, stream
from marketplace.runs.events import EventLogs
from marketplace.runs.executor import Executor
from marketplace.runs.models import Run
from marketplace.runs.pages import RunPage
from marketplace.runs.preferences import SettingsNeeded
from marketplace.runs.settings import RunSettings
from marketplace.web import sse
from marketplace.web.auth import actor_id, signed_in_only, wants_json
from marketplace.web.edge import after_commit, db, status_of
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _


def blueprint(
    database: Database, executor: Executor, logs: EventLogs, settings: RunSettings, vault: Vault
) -> Blueprint:
    """The runs room's pages, over the executor of this process."""
    bp = Blueprint("runs", __name__)

    @bp.post("/apps/<ident>/runs")
    @signed_in_only
    def start(ident: str) -> ResponseReturnValue:
        """Run an app with the form's values, and go to the run's page."""
        app = catalog.app_by_ident(db(), ident)
        action = request.form.get("-action", "")
        release = db().get(Release, app.current_release_id) if app.current_release_id else None
        schema = _schema(release, action)
        executor.check_room()
        if release is not None:
            executor.check_model(release)
        try:
            run = service.start(
                db(),
                app,
                person_id=actor_id(),
                action=action,
                values=fields.values_of(request.form, schema),
                allowed=request.form.get("-allow", "").split(consent.COMMA),
                locale=current_locale(),
                settings=settings,
                vault=vault,
                executor=executor.name,
                now=utc_now(),
            )
        except (service.BadInput, consent.ConsentNeeded, SettingsNeeded) as error:
            if wants_json():
                raise
            panel = queries.panel(db(), app, release, vault, person_id=actor_id(), unavailable=None)
            typed = queries.refilled(panel, action, forms.typed(request.form, schema), error)
            return render_template("runs/form.html", page=typed), status_of(error)
        after_commit(lambda: executor.start(run.id))
        return redirect(url_for("runs.show", run_id=run.id), code=303)

    @bp.get("/runs")
    @signed_in_only
    def mine() -> ResponseReturnValue:
        """This person's runs."""
        number = request.args.get("page", 1, type=int)
        page = queries.mine(db(), actor_id(), number=max(1, number), locale=current_locale())
        return render_template("runs/mine.html", page=page)

    @bp.get("/runs/<uuid:run_id>")
    @signed_in_only
    def show(run_id: UUID) -> ResponseReturnValue:
        """One run: streaming while it goes on, finished afterwards."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        return render_template("runs/run.html", page=_page(run))

    @bp.get("/runs/<uuid:run_id>/events")
    @signed_in_only
    def events(run_id: UUID) -> ResponseReturnValue:
        """The run's events from where this reader was (Last-Event-ID)."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        drawn = stream.drawn(database, logs, run.id, after=sse.last_event_id())
        return sse.stream(drawn)

    @bp.post("/runs/<uuid:run_id>/stop")
    @signed_in_only
    def stop(run_id: UUID) -> ResponseReturnValue:
        """Stop a run; its page then shows what was made so far."""
        run = service.own(db(), RunId(run_id), person_id=actor_id())
        if not run.has_ended:
            executor.stop(run.id)
        if request.headers.get("Sec-Fetch-Mode") == "cors":
            return "", 204
        return redirect(url_for("runs.show", run_id=run.id), code=303)

    return bp


def _schema(release: Release | None, action: str) -> dict[str, object]:
    actions = release.actions["actions"] if release else []
    found = next((a for a in actions if a["name"] == action), None)
    if found is None:
        raise Invalid(_("This app has no such action. Reload its page and try again."))
    schema: dict[str, object] = found["input_schema"]
    return schema


def _page(run: Run) -> RunPage:
    app, name = catalog.app_and_name(db(), run.app_id, locale=current_locale())
    release = db().get_one(Release, run.release_id)
    actions = wording.actions(release, locale=current_locale())
    described = next(a for a in actions if a["name"] == run.action)
    asked = described["input_schema"]["properties"]
    return RunPage(
        run=run,
        app=app,
        app_name=name,
        action_title=described["title"],
        inputs=[
            (fields.label_of(asked.get(key, {}), key), fields.told(value, asked.get(key, {})))
            for key, value in run.input.items()
        ],
        items=stream.items_of(db(), run),
        receipt=queries.receipt(db(), run) if run.has_ended else None,
        events_url=url_for("runs.events", run_id=run.id),
        stop_url=url_for("runs.stop", run_id=run.id),
        again_url=url_for("catalog.app", ident=app.ident, again=str(run.id)) + "#run",
        has_settings=preferences.is_asked(release.manifest),
    )
