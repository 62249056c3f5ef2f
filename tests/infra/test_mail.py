"""Letters: enqueued with their work, then a file or an SMTP conversation over checked TLS."""

import smtplib
import ssl
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from pydantic import SecretStr
from sqlmodel import Session, select

from marketplace.infra import mail
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext, JobState
from marketplace.infra.mail import MailSettings
from marketplace.kernel.clock import utc_now

LETTER = {
    "to": "lina@example.org",
    "subject": "Welcome, لينا",
    "text": "Salam.\n",
    "html": "<p>Salam.</p>",
}


def deliver(database: Database, settings: MailSettings, folder: Path, **change: str) -> None:
    handler = mail.handlers(settings, folder)["infra.send_mail"]
    handler(JobContext(database, {**LETTER, **change}, utc_now()))


def test_a_letter_is_a_job_of_the_same_transaction(session: Session) -> None:
    mail.send(session, **LETTER)
    [job] = session.exec(select(Job)).all()
    assert (job.name, job.payload) == ("infra.send_mail", LETTER)


def test_letters_are_forgotten_once_sent_and_those_to_one_address_at_once(
    session: Session,
) -> None:
    now = utc_now()
    given_up = {"state": JobState.FAILED, "finished_at": now - mail.FAILED_KEPT}
    states = ({"state": JobState.DONE}, {"state": JobState.RUNNING}, given_up, {})
    for number, given in enumerate(states):
        payload = {**LETTER, "subject": str(number)}
        session.add(Job(name=mail.SEND, payload=payload, run_at=now, created_at=now, **given))
    mail.forget_sent(session, now=now)
    assert {job.payload["subject"] for job in session.exec(select(Job))} == {"1", "2", "3"}
    mail.forget_sent(session, now=now + timedelta(seconds=1))
    assert {job.payload["subject"] for job in session.exec(select(Job))} == {"1", "3"}
    mail.send(session, **{**LETTER, "to": "omar@example.org"})
    mail.forget_letters_to(session, "lina@example.org")
    session.flush()
    assert [job.payload["to"] for job in session.exec(select(Job))] == ["omar@example.org"]


def test_without_a_server_letters_become_files(database: Database, tmp_path: Path) -> None:
    for _ in range(2):
        deliver(database, MailSettings(), tmp_path / "mail")
    files = list((tmp_path / "mail").iterdir())
    assert len(files) == 2
    letter = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert (letter["To"], letter["Subject"]) == ("lina@example.org", "Welcome, لينا")
    assert letter["From"] == "Caravan <store@localhost>"
    assert letter["Date"]
    assert letter["Message-ID"].endswith("@localhost>")
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content() == "Salam.\n"
    assert "<p>" in html.get_content()


@pytest.mark.parametrize(
    "change", [{"subject": "Hi\nBcc: x@example.org"}, {"to": "a@example.org\r\nBcc: b@c.org"}]
)
def test_a_header_cannot_carry_another(
    database: Database, tmp_path: Path, change: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        deliver(database, MailSettings(), tmp_path, **change)
    assert list(tmp_path.iterdir()) == []


class Server:
    """An SMTP server as smtplib shows it; remembers the conversation."""

    said: ClassVar[list[Any]] = []

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        self.said.append((host, port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.said.append("quit")

    def starttls(self, *, context: ssl.SSLContext) -> None:
        self.said.append(("tls", context.verify_mode, context.check_hostname))

    def login(self, user: str, password: str) -> None:
        self.said.append((user, password))

    def send_message(self, letter: EmailMessage) -> None:
        self.said.append(letter["To"])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> type[Server]:
    monkeypatch.setattr(Server, "said", [])
    monkeypatch.setattr(smtplib, "SMTP", Server)
    return Server


TLS = ("tls", ssl.CERT_REQUIRED, True)


def test_a_password_is_said_only_to_a_server_that_proved_itself(
    database: Database, tmp_path: Path, server: type[Server]
) -> None:
    settings = MailSettings(
        smtp_host="mail.example.org", smtp_user="store", smtp_password=SecretStr("secret")
    )
    deliver(database, settings, tmp_path)
    assert server.said == [
        ("mail.example.org", 587),
        TLS,
        ("store", "secret"),
        "lina@example.org",
        "quit",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_a_user_is_not_told_one(
    database: Database, tmp_path: Path, server: type[Server]
) -> None:
    deliver(database, MailSettings(smtp_host="mail.example.org"), tmp_path)
    assert server.said[1:] == [TLS, "lina@example.org", "quit"]
