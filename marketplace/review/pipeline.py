"""Runs every check over one release, and moves it on."""

from datetime import datetime

from caravan import checks as static
from caravan.findings import Finding
from sqlmodel import Session, select

from marketplace.accounts.models import Account
from marketplace.catalog import service as catalog
from marketplace.catalog.models import App, AppState, Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.kernel.ids import ReleaseId
from marketplace.publishing import bundles, code
from marketplace.publishing import service as publishing
from marketplace.review.checks import adapter, naming, pictures, sandboxed, widening
from marketplace.review.checks.adapter import type_base_model
from marketplace.review.models import CheckResult
from marketplace.review.settings import ReviewSettings
from marketplace.sandbox.ports import Sandbox
from marketplace.sandbox.settings import SandboxSettings

# A machine can see these, but not whether they are meant well.
FOR_A_PERSON = frozenset({naming.RULE, widening.RULE})


def check(
    database: Database,
    release_id: ReleaseId,
    *,
    sandbox: Sandbox,
    blobs: Blobs,
    settings: ReviewSettings,
    sandbox_settings: SandboxSettings,
    base_model: type_base_model,
    now: datetime,
) -> None:
    """Check one release: rejected on an error, else to a person, or published at once.

    At once: what an operator uploads, for they run the store; and what anyone uploads where
    the setting says so, unless a finding is one of those only a person can judge.

    The sandbox works between two short transactions, so no lock is held while it does.
    Running it again on a release that was decided changes nothing.

    Raises: SandboxAway when the checks could not be finished.
    """
    with database.reading() as session:
        release = session.get_one(Release, release_id)
        if release.state is not ReleaseState.CHECKING:
            return
        bundle = bundles.opened(blobs.get(release.bundle_key))
        findings = [
            *static.check(bundle),
            *adapter.check(bundle, base_model),
            *_against_others(session, release),
        ]
    prepared, drawn = None, pictures.Drawn()
    if static.is_publishable(findings):
        drawn = pictures.draw(bundle)
        findings += drawn.findings
    if static.is_publishable(findings):
        prepared = sandboxed.prepare(bundle, sandbox, sandbox_settings)
        findings += prepared.findings
    with database.writing() as session:
        release = session.get_one(Release, release_id, with_for_update=True)
        if release.state is not ReleaseState.CHECKING:
            return
        _keep(session, release_id, findings, now=now)
        if prepared is None or not static.is_publishable(findings):
            publishing.turn_down(session, release, now=now)
            return
        release.actions = dict(prepared.actions)
        release.code_key = code.store(blobs, prepared.files)
        if drawn.icon is not None:
            release.icon_key = blobs.put(drawn.icon.data)
        release.screenshots = pictures.kept(drawn, bundle, blobs)
        if (path := bundle.manifest.model.adapter) is not None:
            release.adapter_key = blobs.put(bundle.files[path])
        release.move_to(ReleaseState.IN_REVIEW, now=now)
        if _goes_on_alone(session, release, findings, settings):
            catalog.publish(session, release, now=now)


def _goes_on_alone(
    session: Session, release: Release, findings: list[Finding], settings: ReviewSettings
) -> bool:
    if session.get_one(Account, release.publisher_id).is_operator:
        return True
    return settings.auto_approve and not any(f.rule in FOR_A_PERSON for f in findings)


def _against_others(session: Session, release: Release) -> list[Finding]:
    app = session.get_one(App, release.app_id)
    live = session.get(Release, app.current_release_id) if app.current_release_id else None
    others = session.exec(
        select(App.name, App.ident).where(
            App.state == AppState.LISTED, App.owner_id != app.owner_id
        )
    ).all()
    name = release.manifest["app"]["name"]
    return [
        *naming.check_name(name, app.ident, others),
        *widening.check_widening(release.manifest, live.manifest if live else None),
    ]


def _keep(
    session: Session, release_id: ReleaseId, findings: list[Finding], *, now: datetime
) -> None:
    for position, finding in enumerate(findings):
        session.add(
            CheckResult(release_id=release_id, position=position, found_at=now, **finding.to_json())
        )
