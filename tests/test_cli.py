"""The operator's command, as it is typed."""

import errno
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError

from marketplace import app as composition
from marketplace import cli, settings
from marketplace.infra import migrations
from marketplace.infra.db import Database
from tests.inference.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of its own, and logging as it was before."""
    for name in [name for name in os.environ if name.startswith("CARAVAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CARAVAN_DATA_DIR", str(tmp_path / "data"))
    yield tmp_path / "data"
    structlog.reset_defaults()


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli.cli, words)


def test_the_doctor_of_a_new_store_says_what_is_missing() -> None:
    result = typed("doctor")
    assert result.exit_code == 1
    assert "✗ Database: At revision none" in result.stdout
    assert "`marketplace migrate`" in result.stdout
    assert "✗ Engine: " in result.stdout


def test_the_doctor_speaks_json() -> None:
    assert typed("migrate").exit_code == 0
    result = typed("doctor", "--json")
    findings = {found["subject"]: found for found in json.loads(result.stdout)}
    assert findings["Database"]["level"] == "good"
    assert findings["Runners"]["level"] == "bad"
    assert all(set(found) == {"subject", "level", "message"} for found in findings.values())
    assert result.exit_code == 1


def test_code_of_strangers_holds_up_no_payment_and_no_letter(own_store: Path) -> None:
    database = Database(f"sqlite:///{own_store / 'store.db'}")
    checks, others = composition.workers(settings.Settings(), database)
    assert checks.names == {"review.check_release"}
    assert "billing.handle_event" in others.names
    assert not checks.names & others.names


def test_migrating_twice_changes_nothing() -> None:
    first = typed("migrate")
    assert first.stdout.startswith("The database is at ")
    assert typed("migrate").stdout == first.stdout


def test_the_link_has_the_port_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARAVAN_WEB__PORT", "8437")
    typed("migrate")
    assert typed("setup-link").stdout.startswith("http://127.0.0.1:8437/accounts/setup/")


def test_a_setup_link_is_new_each_time() -> None:
    typed("migrate")
    links = {typed("setup-link").stdout for _ in range(2)}
    assert len(links) == 2
    assert all(link.startswith("http://127.0.0.1:") for link in links)
    assert all("/accounts/setup/" in link for link in links)


def test_the_page_of_settings_is_current() -> None:
    assert typed("settings", "--check").exit_code == 0


def test_a_page_of_settings_that_is_old_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "as_markdown", lambda: "something else")
    assert typed("settings", "--check").exit_code == 1


def test_the_models_of_a_new_store_are_listed() -> None:
    result = typed("models", "list")
    assert result.exit_code == 0
    assert "caravan-demo" in result.stdout or "marketplace models add" in result.stdout


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    """What a command says that ends with status 1."""
    monkeypatch.setattr(sys, "argv", ["marketplace", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_a_setting_that_does_not_fit_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARAVAN_WEB__PORT", "oasis")
    said = refused(monkeypatch, capsys, "doctor")
    assert said.startswith("marketplace: CARAVAN_WEB__PORT: Input should be a valid integer")
    assert said.count("\n") == 1


def test_a_production_store_without_its_secret_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_store: Path
) -> None:
    monkeypatch.setenv("CARAVAN_STAGE", "production")
    said = refused(monkeypatch, capsys, "serve")
    assert said.startswith("marketplace: A production store needs CARAVAN_SECRET_KEY")
    assert not (own_store / "store.db").exists()


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OperationalError("COMMIT", {}, Exception("database or disk is full")),
        OperationalError("PRAGMA", {}, Exception("disk I/O error")),
    ],
    ids=repr,
)
def test_a_full_disk_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: Exception
) -> None:
    def upgrade(_database: Database) -> None:
        raise fault

    monkeypatch.setattr(migrations, "upgrade", upgrade)
    said = refused(monkeypatch, capsys, "serve")
    assert said.startswith("marketplace: The store's disk is full. Make room on it")
    assert said.count("\n") == 1


def test_a_database_that_does_not_answer_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARAVAN_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/store")
    said = refused(monkeypatch, capsys, "migrate")
    assert said.startswith("marketplace: The database cannot be used: connection failed")
    assert "Traceback" not in said


def test_a_store_is_seeded_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = typed("seed", "--apps", "3", "--today", "2026-03-01")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "3 of 3 apps")
    assert "already" in refused(monkeypatch, capsys, "seed", "--apps", "3")


def test_a_real_store_is_not_seeded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARAVAN_STAGE", "production")
    assert "production" in refused(monkeypatch, capsys, "seed", "--apps", "3")


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """Another machine that computes for this store."""
    server = OpenAIServer("abc")
    monkeypatch.setenv("CARAVAN_INFERENCE__UPSTREAM__URL", server.url)
    yield server
    server.close()


def test_the_doctor_names_the_machines_that_compute(upstream: OpenAIServer) -> None:
    said = typed("doctor").stdout
    assert "✓ Engine: Ready with letters.\n" in said
    assert f"✓ Device: Other machines compute, 1 of 1 answer: {upstream.url} (openai)." in said


def test_where_other_machines_compute_the_engine_is_not_started(upstream: OpenAIServer) -> None:
    result = typed("engine")
    assert result.exit_code == 1
    assert "CARAVAN_INFERENCE__UPSTREAM__URL is set" in result.stderr
