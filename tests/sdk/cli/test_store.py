"""The commands that talk to a store: login, whoami, logout, publish."""

import stat
import sys
from pathlib import Path

import pytest
from caravan.bundle import open_bundle
from caravan.cli import tokens
from caravan.cli.output import Exit

from tests.sdk.cli.conftest import FakeStore, Terminal

AMINA = {"id": "1", "name": "Amina", "email": "amina@example.com"}
RELEASE = {"release": "r1", "app": "tests.echo", "state": "checking", "url": "/apps/tests.echo"}


@pytest.fixture
def logged_in(terminal: Terminal, store: FakeStore) -> Terminal:
    store.answers.append((200, AMINA))
    assert terminal.run("login", "--store", store.url, "--token", "secret").exit_code == 0
    store.asked.clear()
    return terminal


def test_login_asks_for_the_token_and_keeps_it_for_the_owner_alone(
    terminal: Terminal, store: FakeStore
) -> None:
    store.answers.append((200, AMINA))
    ended = terminal.run("login", "--store", f"{store.url}/", stdin="secret\n")
    assert f"You are Amina at {store.url}." in ended.output
    assert "secret" not in ended.output
    assert store.asked == [("GET", "/api/v1/whoami", "Bearer secret", b"")]
    assert stat.S_IMODE(tokens.file().stat().st_mode) == 0o600
    assert tokens.read() == {"default": store.url, "tokens": {store.url: "secret"}}


def test_where_nobody_types_a_token_login_says_where_to_make_one(terminal: Terminal) -> None:
    error = terminal.json("login", "--store", "https://store.example.com")["error"]
    assert error["rule"] == "store.no-token"
    assert "https://store.example.com/portal/tokens" in error["fix"]
    assert "CARAVAN_TOKEN" in error["fix"]


def test_a_wrong_token_is_not_kept(terminal: Terminal, store: FakeStore) -> None:
    store.answers.append((401, {"title": "No"}))
    ended = terminal.run("login", "--store", store.url, "--token", "wrong")
    assert (ended.exit_code, tokens.file().exists()) == (Exit.STORE_REFUSED, False)
    assert "The store does not know this token." in ended.output


def test_whoami_and_logout(logged_in: Terminal, store: FakeStore) -> None:
    store.answers.append((200, AMINA))
    assert logged_in.json("whoami") == {"store": store.url, "account": AMINA}
    assert "Forgot" in logged_in.run("logout").output
    after = logged_in.run("whoami")
    assert (after.exit_code, "caravan login" in after.output) == (Exit.USAGE, True)


def test_the_environment_is_enough_for_ci(
    terminal: Terminal, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAVAN_STORE", store.url)
    monkeypatch.setenv("CARAVAN_TOKEN", "ci")
    store.answers.append((200, AMINA))
    assert terminal.run("whoami").exit_code == 0
    assert store.asked[0][2] == "Bearer ci"


def test_publish_uploads_the_bundle_and_waits_for_the_verdict(
    logged_in: Terminal, store: FakeStore, echo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["caravan.cli.publish"], "POLL_S", 0)
    passed = {"rule": "sandbox", "level": "pass", "message": "It starts in the sandbox."}
    store.answers += [
        (201, RELEASE),
        (200, {**RELEASE, "checks": []}),
        (200, {**RELEASE, "state": "in_review", "checks": [passed]}),
    ]
    ended = logged_in.run("publish", echo, "--wait")
    assert ended.exit_code == 0, ended.output
    assert "✓ It starts in the sandbox." in ended.output
    assert "The release is in review." in ended.output
    method, path, token, body = store.asked[0]
    assert (method, path, token) == ("POST", "/api/v1/releases", "Bearer secret")
    start = body.index(b"PK\x03\x04")
    bundle = body[start : body.rindex(b"\r\n--")]
    assert open_bundle(bundle).manifest.app.id == "tests.echo"
    assert b'name="bundle"; filename="tests.echo-1.0.0.caravan"' in body


def test_a_beta_release_names_its_channel_and_the_same_bundle_becomes_stable(
    logged_in: Terminal, store: FakeStore, echo: Path
) -> None:
    store.answers += [
        (201, {**RELEASE, "channel": "beta"}),
        (201, {**RELEASE, "state": "published"}),
    ]
    assert "checks it now" in logged_in.run("publish", echo, "--channel", "beta").output
    assert "is stable" in logged_in.run("publish", echo).output
    fields = [b'name="channel"\r\n\r\nbeta\r\n', b'name="channel"\r\n\r\nstable\r\n']
    assert [each in asked[3] for each, asked in zip(fields, store.asked, strict=True)] == [True] * 2
    wrong = logged_in.run("publish", echo, "--channel", "gamma")
    assert (wrong.exit_code, "stable" in wrong.output) == (Exit.USAGE, True)


def test_a_rejected_release_has_its_own_exit_code(
    logged_in: Terminal, store: FakeStore, echo: Path
) -> None:
    bad = {"rule": "sandbox", "level": "error", "message": "It does not start.", "fix": "Mend it."}
    store.answers += [(201, RELEASE), (200, {**RELEASE, "state": "rejected", "checks": [bad]})]
    ended = logged_in.run("publish", echo, "--wait")
    assert ended.exit_code == Exit.STORE_REFUSED
    assert "✗ It does not start.  [sandbox]\n    → Mend it." in ended.output


def test_waiting_ends_with_what_to_do(logged_in: Terminal, store: FakeStore, echo: Path) -> None:
    store.answers += [(201, RELEASE), (200, RELEASE)]
    ended = logged_in.run("publish", echo, "--wait", "--timeout", "-1")
    assert (ended.exit_code, "--timeout" in ended.output) == (Exit.STORE_REFUSED, True)


def test_a_refusal_is_told_in_the_stores_words(
    logged_in: Terminal, store: FakeStore, echo: Path
) -> None:
    problem = {"title": "Conflict", "detail": "1.0.0 is published already.", "rule": "release.same"}
    store.answers.append((409, {**problem, "errors": {"version": "Take a higher one."}}))
    ended = logged_in.run("publish", echo)
    assert ended.exit_code == Exit.STORE_REFUSED
    assert "1.0.0 is published already. version: Take a higher one." in ended.output


def test_an_address_that_is_no_store_is_told(
    logged_in: Terminal, store: FakeStore, echo: Path
) -> None:
    for status, answer in ((200, b"<html>"), (404, b"<html>"), (302, b"")):
        store.media_type = "text/html"
        store.answers.append((status, answer))
        assert logged_in.run("publish", echo).exit_code == Exit.STORE_REFUSED


def test_no_connection_has_its_own_exit_code(terminal: Terminal, echo: Path) -> None:
    words = ("publish", echo, "--store", "http://127.0.0.1:9", "--token", "x")
    ended = terminal.run(*words)
    assert ended.exit_code == Exit.NO_CONNECTION
    assert "does not answer" in ended.output
    assert terminal.json(*words)["error"]["rule"] == "store.unreachable"


def test_an_app_with_errors_is_never_uploaded(
    logged_in: Terminal, store: FakeStore, echo: Path
) -> None:
    (echo / "assets/icon.svg").unlink()
    ended = logged_in.run("publish", echo)
    assert (ended.exit_code, store.asked) == (Exit.CHECKS_FAILED, [])
    assert "Not uploaded: 1 error, 0 warnings." in ended.output


def test_a_dry_run_uploads_nothing_and_needs_no_store(terminal: Terminal, echo: Path) -> None:
    report = terminal.json("publish", echo, "--dry-run")
    assert (report["bundle"], report["dry_run"]) == ("tests.echo-1.0.0.caravan", True)
    assert report["channel"] == "stable"
    assert "nothing was uploaded" in terminal.run("publish", echo, "--dry-run").output


def test_an_address_must_be_whole_and_is_warned_of_when_open(
    terminal: Terminal, echo: Path
) -> None:
    bad = terminal.run("login", "--store", "store.example.com", "--token", "x")
    assert (bad.exit_code, "is not an address" in bad.output) == (Exit.USAGE, True)
    publishing = terminal.run("whoami", "--store", "http://store.invalid", "--token", "x")
    assert "without encryption" in publishing.output
