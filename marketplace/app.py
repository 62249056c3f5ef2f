"""The composition root: every room wired to every other, read from top to bottom."""

import hashlib
import hmac
from importlib import import_module
from uuid import UUID

from flask import Flask, request
from sqlmodel import Session
from werkzeug.middleware.proxy_fix import ProxyFix

from marketplace.accounts import jobs as accounts_jobs
from marketplace.accounts import views as accounts_views
from marketplace.accounts import views_leaving as leaving_views
from marketplace.accounts import views_settings as account_views
from marketplace.accounts import views_tokens as tokens_views
from marketplace.accounts.exports import Exports
from marketplace.accounts.identity import AccountIdentity
from marketplace.admin import views as admin_views
from marketplace.admin import views_gallery as gallery_views
from marketplace.admin.doctor import Patient
from marketplace.ads import jobs as ads_jobs
from marketplace.ads import views as ads_views
from marketplace.billing import jobs as billing_jobs
from marketplace.billing import leaving as billing_leaving
from marketplace.billing import queries as billing_queries
from marketplace.billing import views as billing_views
from marketplace.catalog import jobs as catalog_jobs
from marketplace.catalog import leaving as catalog_leaving
from marketplace.catalog import views as catalog_views
from marketplace.catalog import views_channels as channels_views
from marketplace.catalog import views_collections as collections_views
from marketplace.catalog import views_feeds as feeds_views
from marketplace.catalog import views_ratings as ratings_views
from marketplace.catalog.models import App, Release
from marketplace.catalog.nearness import Nearness
from marketplace.inference import jobs as inference_jobs
from marketplace.inference.client import EngineClient
from marketplace.inference.ports import Inference
from marketplace.inference.registry import Registry
from marketplace.infra import mail
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.egress import Egress
from marketplace.infra.jobs import Handler, Worker
from marketplace.infra.vault import Vault
from marketplace.publishing import jobs as publishing_jobs
from marketplace.publishing import views as publishing_views
from marketplace.publishing import views_listing as listing_views
from marketplace.review import jobs as review_jobs
from marketplace.review import queries as review_queries
from marketplace.review import views as review_views
from marketplace.review import views_reports as reports_views
from marketplace.runs import jobs as runs_jobs
from marketplace.runs import queries as runs_queries
from marketplace.runs import views as runs_views
from marketplace.runs import views_api as api_views
from marketplace.runs import views_audit as audit_views
from marketplace.runs import views_consent as consent_views
from marketplace.runs import views_developer as developer_views
from marketplace.runs import views_my_apps as my_apps_views
from marketplace.runs import views_repeating as repeating_views
from marketplace.runs import views_settings as settings_views
from marketplace.runs import views_shares as shares_views
from marketplace.runs import wishes
from marketplace.runs.audit import AuditLogs
from marketplace.runs.clock import Clock
from marketplace.runs.events import EventLogs
from marketplace.runs.executor import Executor
from marketplace.runs.files import RunFiles
from marketplace.runs.leaving import Traces
from marketplace.runs.pages import Panel
from marketplace.runs.questions import Questions
from marketplace.runs.rehearsal import Stage
from marketplace.runs.starting import Starter
from marketplace.sandbox import builder
from marketplace.sandbox.client import RunnerClient
from marketplace.sandbox.ports import Sandbox
from marketplace.settings import ROOT, Settings
from marketplace.web import csp, csrf, edge, i18n, page_cache, templating
from marketplace.web import help as help_page
from marketplace.web.auth import actor
from marketplace.web.i18n import gettext as _
from marketplace.web.sse import Streams


def blobs(settings: Settings) -> Blobs:
    """Where bundles, code and icons lie."""
    return Blobs(settings.folder / "blobs")


def run_logs(settings: Settings) -> tuple[EventLogs, AuditLogs]:
    """Where runs leave their events and their audit logs: one folder."""
    folder = settings.folder / "runs"
    return EventLogs(folder), AuditLogs(folder, most_bytes=settings.runs.audit_bytes)


def vault(settings: Settings) -> Vault:
    """What seals the secrets of people."""
    previous = settings.previous_secret_key.get_secret_value()
    return Vault(settings.signing_key(), [previous] if previous else [])


def run_files(settings: Settings) -> RunFiles:
    """Where the files lie that people give to runs."""
    return RunFiles(settings.folder / "files")


def traces(settings: Settings) -> Traces:
    """What people's runs leave on the disk."""
    return Traces(*run_logs(settings), run_files(settings))


def exports(settings: Settings) -> Exports:
    """The files in which people take their data away."""
    return Exports(settings.folder / "exports", traces(settings).files)


def pseudonym_maker(settings: Settings) -> "PseudonymMaker":
    """What apps may know people by."""
    return PseudonymMaker(settings.signing_key())


class PseudonymMaker:
    """One name for a person in each app: two apps cannot tell that they serve the same one."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __call__(self, ident: str, person_id: object) -> str:
        """An HMAC of app and person under the store's key, 20 hexadecimal digits."""
        text = f"person:{ident}:{person_id}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:20]


def create_app(settings: Settings, sandbox: Sandbox | None = None) -> Flask:
    """The store as one WSGI application, for one web process.

    Args:
        sandbox: where apps run, the runners of this store unless another is given.
    """
    app = Flask(
        __name__,
        static_folder=str(ROOT / "static"),
        template_folder=str(ROOT / "marketplace" / "templates"),
    )
    app.config.update(
        SECRET_KEY=settings.signing_key(),
        SECURE_COOKIES=settings.web.address.startswith("https://"),
        STORE_NAME=settings.web.store_name,
        PUBLIC_URL=settings.web.address,
        PAGE_CACHE_S=settings.web.page_cache_s,
        MAX_CONTENT_LENGTH=settings.web.max_upload_bytes,
        SEND_FILE_MAX_AGE_DEFAULT=365 * 24 * 3600,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.web.address.startswith("https://"),
    )
    proxies = settings.web.proxies
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    database = Database(settings.database_address())
    app.extensions["database"] = database
    app.extensions["identity"] = AccountIdentity(database)
    for part in (edge, csrf, csp, i18n, templating, page_cache):
        part.install(app)

    store = blobs(settings)
    engine = language_model(settings)
    sandbox = sandbox or RunnerClient(settings.socket("runners"), settings.cache_dir())
    secrets, streams = vault(settings), Streams(settings.web.streams_per_person)
    executor, files = run_executor(settings, database, engine, sandbox), run_files(settings)
    app.extensions["executor"] = executor

    def panel_for(session: Session, listed: App, release: Release | None) -> Panel:
        person = actor()
        status = engine.status()
        unavailable = None if status.ready or status.loading else status.why_not
        if unavailable is None and release is not None:
            unavailable = wishes.unmet(release.manifest, status)
        return runs_queries.panel(
            session,
            listed,
            release,
            secrets,
            person_id=person.id if person else None,
            unavailable=unavailable and _(unavailable),
            again=request.args.get("again", type=UUID),
        )

    app.register_blueprint(help_page.bp)
    app.register_blueprint(accounts_views.bp)
    app.register_blueprint(account_views.bp)
    app.register_blueprint(
        leaving_views.blueprint(
            exports(settings), [catalog_leaving.hindrances], [billing_leaving.notes]
        )
    )
    app.register_blueprint(tokens_views.bp)
    app.register_blueprint(
        catalog_views.blueprint(
            store, panel_for, billing_queries.has_bought, Nearness(database, engine)
        )
    )
    for room in (collections_views.bp, channels_views.bp, feeds_views.bp):
        app.register_blueprint(room)
    app.register_blueprint(ratings_views.blueprint(billing_queries.has_bought))
    app.register_blueprint(
        publishing_views.blueprint(
            store, settings.publishing, billing_queries.earned, review_queries.findings
        )
    )
    app.register_blueprint(listing_views.bp)
    app.register_blueprint(review_views.blueprint(store))
    app.register_blueprint(reports_views.bp)
    app.register_blueprint(billing_views.bp)
    app.register_blueprint(ads_views.bp)
    starter = Starter(executor, files, settings.runs, secrets)
    for room in (
        runs_views.blueprint(database, executor.logs, executor.questions, starter, streams),
        my_apps_views.bp,
        shares_views.bp,
        repeating_views.blueprint(starter),
        api_views.blueprint(starter),
        audit_views.blueprint(executor.audits),
    ):
        app.register_blueprint(room)
    app.register_blueprint(
        developer_views.blueprint(
            database, engine, executor.audits, store, settings.runs, streams=streams
        )
    )
    app.register_blueprint(consent_views.blueprint(executor))
    app.register_blueprint(settings_views.blueprint(secrets))
    app.register_blueprint(admin_views.blueprint(patient(settings, database, engine, sandbox)))
    if settings.is_development:
        app.register_blueprint(gallery_views.bp)
    return app


def run_executor(
    settings: Settings, database: Database, engine: Inference, sandbox: Sandbox
) -> Executor:
    """What carries out runs in this process."""
    logs, audits = run_logs(settings)
    return Executor(
        database=database,
        sandbox=sandbox,
        inference=engine,
        egress=Egress(settings.egress),
        blobs=blobs(settings),
        logs=logs,
        audits=audits,
        files=run_files(settings),
        questions=Questions(settings.folder / "questions"),
        settings=settings.runs,
        sandbox_settings=settings.sandbox,
        folder=settings.folder / "executors",
        pseudonym=pseudonym_maker(settings),
        vault=vault(settings),
    )


def clock(settings: Settings, database: Database) -> Clock:
    """What starts the runs of schedules, in the worker."""
    sandbox = RunnerClient(settings.socket("runners"), settings.cache_dir())
    executor = run_executor(settings, database, language_model(settings), sandbox)
    return Clock(database, executor, vault(settings), settings.runs)


def stage(settings: Settings, database: Database) -> Stage:
    """Where the worker runs the samples of apps."""
    return Stage(
        database=database,
        sandbox=RunnerClient(settings.socket("runners"), settings.cache_dir()),
        inference=language_model(settings),
        blobs=blobs(settings),
        egress=Egress(settings.egress),
        settings=settings.runs,
        sandbox_settings=settings.sandbox,
    )


def language_model(settings: Settings) -> Inference:
    """The one model all apps share: the engine beside us, or other machines."""
    inference = settings.inference
    if not inference.upstream.url:
        return EngineClient(settings.socket("engine"))
    # A store that computes for itself need not read what speaks to other machines.
    package = import_module("marketplace.inference.upstream.client")
    # Each web process counts for itself, so each may have its share of the servers.
    share = max(1, inference.upstream.max_in_flight // settings.web.workers)
    bounds = package.Bounds(share, inference.queue_per_app, inference.queue_total)
    upstream: Inference = package.Upstream(inference.upstream, bounds)
    return upstream


def patient(
    settings: Settings,
    database: Database | None = None,
    engine: Inference | None = None,
    sandbox: Sandbox | None = None,
) -> Patient:
    """What `marketplace doctor` and the admin page examine."""
    return Patient(
        database=database or Database(settings.database_address()),
        data_dir=settings.folder,
        engine=(engine or language_model(settings)).status,
        sandbox=(sandbox or RunnerClient(settings.socket("runners"), settings.cache_dir())).status,
        runtime=lambda: builder.find_runtime(settings.cache_dir()),
    )


def workers(settings: Settings, database: Database) -> tuple[Worker, Worker]:
    """Who does the checks of releases, and who every other job; each needs a thread of its own.

    Checks run code of strangers, for minutes where it is slow. Payments and letters must not
    wait for that.
    """
    checks = review_jobs.handlers(
        RunnerClient(settings.socket("runners"), settings.cache_dir()),
        blobs(settings),
        settings.review,
        settings.sandbox,
        Registry(settings.folder / "models", settings.demo_model).chosen_file,
    )
    others = Worker(database, _job_handlers(settings), _job_schedules())
    return Worker(database, checks), others


def _job_handlers(settings: Settings) -> dict[str, Handler]:
    engine = language_model(settings)
    return {
        **mail.handlers(settings.mail, settings.folder / "mail"),
        **accounts_jobs.handlers(
            exports(settings), [catalog_leaving.farewell, traces(settings).farewell]
        ),
        **inference_jobs.handlers(engine),
        **catalog_jobs.handlers(engine),
        **billing_jobs.handlers(),
        **publishing_jobs.handlers(blobs(settings)),
        **ads_jobs.handlers(),
        **runs_jobs.handlers(*run_logs(settings), run_files(settings), settings.runs),
    }


def _job_schedules() -> dict[str, float]:
    rooms = (mail, accounts_jobs, catalog_jobs, ads_jobs, runs_jobs)
    return {name: every_s for room in rooms for name, every_s in room.schedules().items()}
