"""Bad uploads, full disks, locked databases, missing parts: each is told in a sentence."""

import io
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlmodel import Session, SQLModel, func, select
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from marketplace.accounts.models import Account
from marketplace.catalog.models import App, Release
from marketplace.infra import db as db_module
from marketplace.infra.blobs import Blobs
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job
from marketplace.kernel.clock import utc_now
from marketplace.runs.models import Run, RunState
from tests.factories.accounts import make_account, make_token
from tests.factories.pages import send, sign_in
from tests.factories.publishing import bundle_bytes, manifest_text
from tests.factories.runs import EVERY_PERMISSION, make_runnable
from tests.factories.whole import whole_store
from tests.sdk.bundles import zip_of


@dataclass
class Door:
    """A whole store in this process, without engine, runners or worker, and a developer's token."""

    app: Flask
    folder: Path
    token: str = ""

    @property
    def database(self) -> Database:
        found: Database = self.app.extensions["database"]
        return found

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def upload(self, data: bytes, **headers: str) -> TestResponse:
        return self.client().post(
            "/api/v1/releases",
            data={"bundle": (io.BytesIO(data), "app.caravan")},
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )

    def left_behind(self) -> dict[str, int]:
        """Rows and files of an upload."""
        with self.database.reading() as session:
            rows = {m.__tablename__: _count(session, m) for m in (App, Release, Job)}
        files = [f for f in (self.folder / "blobs").rglob("*") if f.is_file()]
        return {**{str(k): v for k, v in rows.items() if v}, **({"blobs": 1} if files else {})}


def _count(session: Session, model: type[SQLModel]) -> int:
    return session.exec(select(func.count()).select_from(model)).one()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Made once: compiling templates takes longer than the tests."""
    with whole_store(tmp_path_factory.mktemp("store")) as store:
        yield Door(store.app, store.folder)


@pytest.fixture
def door(whole: Door) -> Iterator[Door]:
    """The store, empty but for one developer."""
    shutil.rmtree(whole.folder / "blobs", ignore_errors=True)
    with whole.database.writing() as session:
        developer = make_account(session, is_developer=True)
        whole.token = make_token(session, developer, now=utc_now()).secret
    yield whole
    with whole.database.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in reversed(SQLModel.metadata.sorted_tables):
            if not table.name.startswith("billing_ledger"):
                connection.execute(table.delete())


def bomb() -> bytes:
    return bundle_bytes({"data/zeros.txt": b"\0" * 20_000_000})


def climbing() -> bytes:
    return zip_of([(zipfile.ZipInfo("../../etc/cron.d/caravan"), b"* * * * * root id")])


def two_gigabytes() -> bytes:
    """A bundle one of whose files claims to have 2 GiB."""
    text = b"marker" * 100
    data = bundle_bytes({"data/large.txt": text})
    assert data.count(struct.pack("<I", len(text))) >= 1
    return data.replace(struct.pack("<I", len(text)), struct.pack("<I", 2**31 - 1))


def manifest(old: str, new: str) -> Callable[[], bytes]:
    return lambda: bundle_bytes({"caravan.toml": manifest_text().replace(old, new)})


# What is uploaded → status, rule, words of the sentence, line.
REFUSED: dict[str, tuple[Callable[[], bytes], int, str, str, int | None]] = {
    "no zip": (lambda: b"PK\3\4 and then nothing", 422, "bundle.broken", "", None),
    "half a zip": (lambda: bundle_bytes()[:-100], 422, "bundle.broken", "", None),
    "a zip bomb": (bomb, 413, "bundle.ratio", "", None),
    "a climbing path": (climbing, 422, "bundle.path", "", None),
    "a file that claims 2 GiB": (two_gigabytes, 413, "bundle.ratio", "", None),
    "no manifest": (lambda: bundle_bytes({"caravan.toml": None}), 422, "bundle.", "caravan", None),
    "an unknown key": (
        manifest("age = 3", "age = 3\ncolour = 'sand'"), 422, "manifest.", "colour", 14,
    ),
    "a wrong type": (manifest("age = 3", 'age = "three"'), 422, "manifest.", "age", 13),
    "no toml": (manifest("[app]", "[app"), 422, "manifest.", "", 1),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_upload_is_refused_with_a_sentence_and_leaves_nothing(door: Door, what: str) -> None:
    make, status, rule, words, line = REFUSED[what]
    answer = door.upload(make())
    problem: dict[str, Any] = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert problem["rule"].startswith(rule)
    assert words in problem["detail"]
    assert "." in problem["detail"]
    if line is not None:
        assert f"(line {line})" in problem["detail"]
        assert problem["findings"][0]["line"] == line
    assert door.left_behind() == {}


def test_a_request_that_claims_two_gigabytes_is_not_read(door: Door) -> None:
    answer = door.client().post(
        "/api/v1/releases",
        headers={"Authorization": f"Bearer {door.token}"},
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(2 * 2**30)},
    )
    assert answer.status_code == 413
    assert "larger than this store accepts" in answer.get_json()["detail"]


def test_no_file_at_all_is_said(door: Door) -> None:
    answer = door.upload(b"")
    assert (answer.status_code, "caravan build" in answer.get_json()["detail"]) == (422, True)


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic Zm9vOmJhcg==", ""])
def test_a_wrong_token_opens_nothing(door: Door, header: str) -> None:
    answer = door.upload(bundle_bytes(), Authorization=header)
    assert answer.status_code == 401
    assert answer.get_json()["detail"].endswith(".")
    assert door.left_behind() == {}


def test_the_same_version_twice_is_refused_and_the_first_one_stays(door: Door) -> None:
    assert door.upload(bundle_bytes()).status_code == 201
    answer = door.upload(bundle_bytes({"app.py": None, "other.py": "x = 1\n"}))
    problem = answer.get_json()
    assert (answer.status_code, problem["rule"]) == (409, "release.duplicate-version")
    assert "Raise the version" in problem["detail"]
    with door.database.reading() as session:
        assert _count(session, Release) == 1


def test_the_portals_form_tells_the_same(door: Door) -> None:
    client = door.client()
    sign_in(door.database, client, is_developer=True)
    data = manifest("age = 3", "age = 3\ncolour = 'sand'")()
    answer = send(client, "/portal/upload", bundle=(io.BytesIO(data), "app.caravan"))
    assert answer.status_code == 422
    assert "colour" in answer.text
    assert "line 14" in answer.text


@pytest.fixture
def full_disk(door: Door) -> Iterator[None]:
    """SQLite finds no room for another page."""
    with door.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    door.database.engine.dispose()

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(door.database.engine, "connect", limit)
    yield
    event.remove(door.database.engine, "connect", limit)
    door.database.engine.dispose()


def sign_up(door: Door, name: str) -> TestResponse:
    return send(
        door.client(), "/accounts/sign-up", name=name, email="x@example.org", password="x" * 20
    )


def test_a_full_disk_is_told_and_nothing_is_saved(door: Door, full_disk: None) -> None:
    with capture_logs():
        answers = [door.upload(bundle_bytes({"data/x.txt": str(n) * 9000})) for n in range(9)]
        answers += [door.upload(bundle_bytes(ident=f"tests.app-{n}")) for n in range(60)]
    full = next(answer for answer in answers if answer.status_code == 503)
    assert "disk is full" in full.get_json()["detail"]
    assert door.client().get("/").status_code == 200


def test_a_full_blob_store_is_told_and_nothing_is_saved(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Blobs, _data: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Blobs, "put", full)
    with capture_logs():
        answer = door.upload(bundle_bytes())
    assert (answer.status_code, "disk is full" in answer.get_json()["detail"]) == (503, True)
    assert door.left_behind() == {}


def test_a_locked_database_is_told_and_can_still_be_read(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_module, "GATE_TIMEOUT_S", 0.1)
    with door.database.writing() as session:
        session.exec(select(Account)).first()
        answer = sign_up(door, "Noor")
        assert answer.status_code == 503
        assert "The database is busy. Please try again in a moment." in answer.text
        assert door.client().get("/").status_code == 200
    assert sign_up(door, "Noor").status_code == 303


def test_an_apps_page_says_why_no_app_can_run(door: Door) -> None:
    with door.database.writing() as session:
        app = make_runnable(session, Blobs(door.folder / "blobs"))
    page = door.client().get(f"/apps/{app.ident}").text
    assert "Apps cannot run at the moment" in page


def test_a_run_without_runners_fails_with_a_sentence(door: Door) -> None:
    client = door.client()
    sign_in(door.database, client)
    with door.database.writing() as session:
        app = make_runnable(session, Blobs(door.folder / "blobs"))
    with capture_logs():
        first = {"-action": "go", "-allow": ",".join(EVERY_PERMISSION)}
        answer = send(client, f"/apps/{app.ident}", f"/apps/{app.ident}/runs", **first)
        stream = client.get(f"{answer.location}/events").text
    assert "does not answer" in stream
    with door.database.reading() as session:
        run = session.exec(select(Run)).one()
    assert (run.state, run.error_rule) == (RunState.FAILED, "sandbox.unavailable")
    assert "does not answer" in client.get(answer.location).text


def test_an_address_that_does_not_exist_is_told_in_both_languages(door: Door) -> None:
    for language in ("en", "ar"):
        answer = door.client().get(f"/nowhere?lang={language}")
        assert answer.status_code == 404
        assert f'lang="{language}"' in answer.text
