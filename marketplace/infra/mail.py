"""Letters: enqueued with the work they tell of, sent by the worker."""

import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlmodel import Session, col, delete, select

from marketplace.infra import jobs
from marketplace.infra.jobs import Handler, Job, JobContext, JobState
from marketplace.kernel.ids import new_id

SMTP_TIMEOUT_S = 20
SEND, FORGET = "infra.send_mail", "infra.forget_letters"
FORGET_S = 600.0
FAILED_KEPT = timedelta(days=7)


class MailSettings(BaseModel):
    """How letters leave the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: str = Field("Caravan <store@localhost>", description="The From address of letters.")
    smtp_host: str = Field(
        "", description="SMTP server. Empty: letters are written as .eml files, not sent."
    )
    smtp_port: int = Field(587, description="Port of the SMTP server.")
    smtp_user: str = Field("", description="User name at the SMTP server; empty: none is sent.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password at the SMTP server.")


def send(session: Session, *, to: str, subject: str, text: str, html: str) -> None:
    """Enqueue one letter in the caller's transaction."""
    jobs.enqueue(session, SEND, to=to, subject=subject, text=text, html=html)


def forget_letters_to(session: Session, address: str) -> None:
    """Delete every letter to an address, also one that still waits."""
    waiting = select(Job).where(Job.name == SEND, col(Job.payload)["to"].as_string() == address)
    for letter in session.exec(waiting).all():
        session.delete(letter)


def forget_sent(session: Session, *, now: datetime) -> None:
    """Delete the letters that were sent, and after a week those that could not be.

    They hold addresses, and nobody reads them here.
    """
    given_up = (col(Job.state) == JobState.FAILED) & (col(Job.finished_at) < now - FAILED_KEPT)
    sent = col(Job.state) == JobState.DONE
    session.exec(delete(Job).where(col(Job.name) == SEND, sent | given_up))


def handlers(settings: MailSettings, folder: Path) -> dict[str, Handler]:
    """The job that sends letters: by SMTP when a server is set, else into `folder`."""
    deliver: Callable[[EmailMessage], None]
    if settings.smtp_host:

        def deliver(letter: EmailMessage) -> None:
            with smtplib.SMTP(
                settings.smtp_host, settings.smtp_port, timeout=SMTP_TIMEOUT_S
            ) as server:
                server.starttls(context=ssl.create_default_context())
                if settings.smtp_user:
                    server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
                server.send_message(letter)
    else:

        def deliver(letter: EmailMessage) -> None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{new_id()}.eml").write_bytes(bytes(letter))

    def send_mail(context: JobContext) -> None:
        letter = EmailMessage()
        letter["From"] = settings.sender
        letter["To"] = context.payload["to"]
        letter["Subject"] = context.payload["subject"]
        letter["Date"] = format_datetime(context.now)
        letter["Message-ID"] = make_msgid(domain=letter["From"].addresses[0].domain)
        letter.set_content(context.payload["text"])
        letter.add_alternative(context.payload["html"], subtype="html")
        deliver(letter)

    def forget(context: JobContext) -> None:
        with context.database.writing() as session:
            forget_sent(session, now=context.now)

    return {SEND: send_mail, FORGET: forget}


def schedules() -> dict[str, float]:
    """How often each job returns, in seconds."""
    return {FORGET: FORGET_S}
