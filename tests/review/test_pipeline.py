"""From an upload to a verdict: what a machine may decide, and what waits for a person."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlmodel import Session, col, select

from marketplace.accounts.models import Account
from marketplace.catalog.models import App, AppState, ListingText, Product, Release, ReleaseState
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext
from marketplace.kernel.ids import ReleaseId
from marketplace.publishing import code
from marketplace.review import jobs
from marketplace.review.models import CheckResult
from marketplace.review.settings import ReviewSettings
from marketplace.sandbox.fake import FakeSandbox
from marketplace.sandbox.ports import AppRefused, Limits, RunError
from marketplace.sandbox.settings import SandboxSettings
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, found_by, make_app
from tests.factories.publishing import PRODUCT, REMEMBER, make_upload

pytestmark = pytest.mark.usefixtures("empty_database")


class Away(FakeSandbox):
    """A sandbox whose process is not up yet."""

    def compile(self, code: Mapping[str, bytes], *, limits: Limits) -> dict[str, bytes]:
        raise AppRefused(RunError("sandbox.unavailable", "It does not answer."))


def upload(database: Database, blobs: Blobs, by: Account | None = None, **given: Any) -> ReleaseId:
    with database.writing() as session:
        return ReleaseId(make_upload(session, blobs, by=by, **given).id)


def person(database: Database, **given: Any) -> Account:
    with database.writing() as session:
        return make_account(session, is_developer=True, **given)


def check(
    database: Database,
    blobs: Blobs,
    release_id: ReleaseId,
    *,
    sandbox: FakeSandbox | None = None,
    auto_approve: bool = False,
    **payload: Any,
) -> Release:
    """Do the job as the worker does. Returns: the release afterwards."""
    settings = ReviewSettings(auto_approve=auto_approve)
    handlers = jobs.handlers(sandbox or FakeSandbox(), blobs, settings, SandboxSettings())
    payload["release_id"] = str(release_id)
    handlers[jobs.CHECK_RELEASE](JobContext(database, payload, NOON))
    with database.reading() as session:
        return session.get_one(Release, release_id)


def rules(session: Session, release_id: ReleaseId, level: str) -> set[str]:
    return set(
        session.exec(
            select(CheckResult.rule).where(
                CheckResult.release_id == release_id, CheckResult.level == level
            )
        ).all()
    )


def test_a_sound_release_of_a_developer_waits_for_a_person(
    database: Database, blobs: Blobs
) -> None:
    release = check(database, blobs, upload(database, blobs))
    assert release.state is ReleaseState.IN_REVIEW
    assert [action["name"] for action in release.actions["actions"]] == ["echo"]
    assert "app.py" in code.load(blobs, release)
    with database.reading() as session:
        assert rules(session, release.id, "error") == set()
        assert {"bundle", "manifest", "sandbox"} <= rules(session, release.id, "pass")
        assert session.get_one(App, release.app_id).state is AppState.HIDDEN


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"app.py": "import requests\n"}, "code.import"),
        ({"app.py": "from caravan import App\napp = App()\nraise SystemError\n"}, "actions.none"),
        ({"assets/icon.svg": None}, "icon.missing"),
    ],
)
def test_an_error_turns_a_release_down(
    database: Database, blobs: Blobs, changes: dict[str, str | None], rule: str
) -> None:
    release = check(database, blobs, upload(database, blobs, changes=changes), auto_approve=True)
    assert release.state is ReleaseState.REJECTED
    assert release.code_key is None
    with database.reading() as session:
        assert rule in rules(session, release.id, "error")
        assert "bundle" in rules(session, release.id, "pass")


def test_an_app_that_breaks_in_the_sandbox_is_turned_down(database: Database, blobs: Blobs) -> None:
    app = (
        "from caravan import App, Context\napp = App()\n"
        '@app.action("Go")\ndef go(ctx: Context):\n    yield "x"\n1 / 0\n'
    )
    changes = {"app.py": app, "evals/first.toml": None}
    manifest = check(database, blobs, upload(database, blobs, changes=changes))
    assert manifest.state is ReleaseState.REJECTED
    with database.reading() as session:
        assert "app.error" in rules(session, manifest.id, "error")


def test_what_an_operator_uploads_is_published_at_once(database: Database, blobs: Blobs) -> None:
    operator = person(database, is_operator=True)
    release = check(database, blobs, upload(database, blobs, operator, more=PRODUCT))
    assert release.state is ReleaseState.PUBLISHED
    with database.reading() as session:
        app = session.get_one(App, release.app_id)
        assert (app.state, app.current_release_id) == (AppState.LISTED, release.id)
        assert found_by(session, "صدى") == [app.id]
        [product] = session.exec(select(Product)).all()
        assert (product.key, product.price_micros, product.active) == ("whole", 4_990_000, True)
        [text] = session.exec(select(ListingText)).all()
        assert (text.locale, text.name) == ("ar", "صدى")


def test_the_setting_publishes_everyones_sound_releases(database: Database, blobs: Blobs) -> None:
    release = check(database, blobs, upload(database, blobs), auto_approve=True)
    assert release.state is ReleaseState.PUBLISHED


def test_a_name_like_anothers_waits_for_a_person_all_the_same(
    database: Database, blobs: Blobs
) -> None:
    with database.writing() as session:
        make_app(session, name="ECH0", ident="first.echo-maker")
    release = check(database, blobs, upload(database, blobs), auto_approve=True)
    assert release.state is ReleaseState.IN_REVIEW


def test_ones_own_names_may_be_alike(database: Database, blobs: Blobs) -> None:
    lina = person(database)
    with database.writing() as session:
        make_app(session, owner=lina, name="Echo", ident="tests.echo-two")
    release = check(database, blobs, upload(database, blobs, lina), auto_approve=True)
    assert release.state is ReleaseState.PUBLISHED


def test_new_permissions_wait_for_a_person_all_the_same(database: Database, blobs: Blobs) -> None:
    lina = person(database)
    check(database, blobs, upload(database, blobs, lina), auto_approve=True)
    wider = upload(database, blobs, lina, version="1.1.0", more=REMEMBER)
    release = check(database, blobs, wider, auto_approve=True)
    assert release.state is ReleaseState.IN_REVIEW
    with database.reading() as session:
        assert "permission.widened" in rules(session, release.id, "warning")


def test_while_the_sandbox_is_away_the_release_waits(database: Database, blobs: Blobs) -> None:
    release_id = upload(database, blobs)
    for tries in (0, 1, 500):
        release = check(database, blobs, release_id, sandbox=Away(), tries=tries)
        assert release.state is ReleaseState.CHECKING
    with database.reading() as session:
        found = session.exec(select(Job).order_by(col(Job.run_at))).all()
        later = [job for job in found if "tries" in job.payload]
        assert [job.payload["tries"] for job in later] == [1, 2, 501]
        waits = [(job.run_at - NOON).total_seconds() for job in later]
        assert waits == [1, 2, jobs.LONGEST_WAIT_S]
    assert check(database, blobs, release_id, tries=3).state is ReleaseState.IN_REVIEW


def test_checking_twice_changes_nothing_more(database: Database, blobs: Blobs) -> None:
    release_id = upload(database, blobs)
    first = check(database, blobs, release_id)
    with database.reading() as session:
        before = len(session.exec(select(CheckResult)).all())
    again = check(database, blobs, release_id, auto_approve=True)
    assert (again.state, again.state_changed_at) == (first.state, first.state_changed_at)
    with database.reading() as session:
        assert len(session.exec(select(CheckResult)).all()) == before
