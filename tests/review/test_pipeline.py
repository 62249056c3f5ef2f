"""From an upload to a verdict: what a machine may decide, and what waits for a person."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
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
from tests.factories.publishing import PRODUCT, REMEMBER, make_upload, manifest_text
from tests.inference.tiny_adapters import write_adapter
from tests.inference.tiny_models import write_noise
from tests.publishing.test_pictures import encoded
from tests.sdk.bundles import LISTING

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
    base_model: Path | None = None,
    **payload: Any,
) -> Release:
    """Do the job as the worker does. Returns: the release afterwards."""
    settings = ReviewSettings(auto_approve=auto_approve)
    handlers = jobs.handlers(
        sandbox or FakeSandbox(), blobs, settings, SandboxSettings(), lambda: base_model
    )
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


SHOT = """
[[screenshot]]
file = "assets/one.png"
caption = "An echo of a greeting"
"""


def test_pictures_are_drawn_anew_before_anybody_sees_them(database: Database, blobs: Blobs) -> None:
    png = encoded("PNG", (600, 600))
    manifest = manifest_text(more=SHOT).replace("assets/icon.svg", "assets/icon.png")
    changes: dict[str, str | bytes | None] = {
        "caravan.toml": manifest,
        "assets/icon.png": png,
        "assets/one.png": encoded("PNG", (2000, 1000)),
        "listing/ar.toml": LISTING + 'captions = ["صدى تحية"]\n',
    }
    release = check(database, blobs, upload(database, blobs, changes=changes), auto_approve=True)
    assert release.state is ReleaseState.PUBLISHED
    assert release.icon_key
    assert blobs.get(release.icon_key) != png
    [shot] = release.screenshots
    assert (shot["width"], shot["height"]) == (1600, 800)
    assert shot["captions"] == {"en": "An echo of a greeting", "ar": "صدى تحية"}
    assert blobs.get(shot["key"])[8:12] == b"WEBP"


def test_a_picture_that_cannot_be_drawn_turns_a_release_down(
    database: Database, blobs: Blobs
) -> None:
    changes = {"caravan.toml": manifest_text(more=SHOT), "assets/one.png": b"no picture"}
    release = check(database, blobs, upload(database, blobs, changes=changes), auto_approve=True)
    assert release.state is ReleaseState.REJECTED
    with database.reading() as session:
        assert rules(session, release.id, "error") == {"screenshot.unreadable"}


def with_adapter(path: Path) -> dict[str, Any]:
    """What is given of an upload that brings an adapter."""
    more = '[model]\nadapter = "assets/tone.gguf"\n'
    return {"more": more, "changes": {"assets/tone.gguf": path.read_bytes()}}


def test_an_adapter_that_fits_the_model_is_kept_for_the_engine(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    model, adapter = write_noise(tmp_path / "noise.gguf"), write_adapter(tmp_path / "tone.gguf")
    release_id = upload(database, blobs, **with_adapter(adapter))
    release = check(database, blobs, release_id, base_model=model)
    assert release.state is ReleaseState.IN_REVIEW
    assert release.adapter_key == hashlib.sha256(adapter.read_bytes()).hexdigest()
    assert blobs.path(release.adapter_key).read_bytes() == adapter.read_bytes()
    assert "assets/tone.gguf" not in code.load(blobs, release)
    with database.reading() as session:
        assert "adapter" in rules(session, release.id, "pass")


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"architecture": "qwen2"}, "adapter.model"),
        ({"kind": "control_vector"}, "adapter.kind"),
        ({"scale": float("inf")}, "adapter.numbers"),
        (None, "adapter.model"),
    ],
)
def test_an_adapter_that_does_not_fit_turns_a_release_down(
    database: Database, blobs: Blobs, tmp_path: Path, wrong: dict[str, Any] | None, rule: str
) -> None:
    model = None if wrong is None else write_noise(tmp_path / "noise.gguf")
    adapter = write_adapter(tmp_path / "tone.gguf", **(wrong or {}))
    release_id = upload(database, blobs, **with_adapter(adapter))
    release = check(database, blobs, release_id, base_model=model)
    assert (release.state, release.adapter_key) == (ReleaseState.REJECTED, None)
    with database.reading() as session:
        assert rules(session, release.id, "error") == {rule}


def test_an_adapter_that_is_not_in_the_bundle_is_missed(database: Database, blobs: Blobs) -> None:
    more = '[model]\nadapter = "assets/tone.gguf"\n'
    release = check(database, blobs, upload(database, blobs, more=more))
    with database.reading() as session:
        assert rules(session, release.id, "error") == {"adapter.missing"}


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
