"""Vectors of what listed apps mean: made beside the requests, kept in the database."""

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, delete, select

from marketplace.catalog.models import App, AppState, ListingText
from marketplace.catalog.models_meaning import Meaning
from marketplace.inference.choice import EMBED
from marketplace.inference.ports import Embedded, Embedding, EngineStatus, Inference
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobState, enqueue
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import AppId, new_id

MAKE = "catalog.make_meanings"
MAKER = "store.meanings"  # takes turns with apps, and with the queries of people
# A job is short, so that no letter and no payment waits long behind it.
APPS_A_JOB = 8
# The models that make vectors read 128 to 512 tokens at a time.
LONGEST_TEXT = 1000
SHORTEST_TEXT = 60
PROBE = "app"

type_key = tuple[AppId, str]


def has_maker(status: EngineStatus) -> bool:
    """Whether the engine has a model whose role it is to make vectors."""
    return any(EMBED in model.roles for model in status.models)


def forget(session: Session, app_id: AppId) -> None:
    """Drop what an app meant: it says something else now. A job finds out what."""
    session.exec(delete(Meaning).where(col(Meaning.app_id) == app_id))
    make_soon(session)


def make_soon(session: Session) -> None:
    """Have a job make what is missing, unless one waits already."""
    waiting = select(Job.id).where(Job.name == MAKE, Job.state == JobState.QUEUED)
    if session.exec(waiting.limit(1)).first() is None:
        enqueue(session, MAKE)


def make(database: Database, inference: Inference, *, now: datetime) -> bool:
    """Make the vectors of a few listed apps that have none, those that count most first.

    The model works while no transaction is open. An engine that is not there leaves all as it is.

    Returns: whether more apps may be waiting.
    Raises: Limited or Unavailable where the engine refuses.
    Effects: vectors of another model go, and all of them once no model has the role.
    """
    status = inference.status()
    if not status.ready:
        return False
    # What a model calls itself in its answers is known once it has answered.
    model = _embed(inference, [PROBE]).model if has_maker(status) else None
    with database.reading() as session:
        is_other = col(Meaning.model) != (model or "")
        has_other = session.exec(select(Meaning.app_id).where(is_other).limit(1)).first()
        waiting = _waiting(session, model) if model else []
        texts = _texts(session, waiting)
    if has_other:
        with database.writing() as session:
            session.exec(delete(Meaning).where(is_other))
    if model is None or not texts:
        return False
    made = _embed(inference, list(texts.values()))
    if made.model != model:
        return False  # the role has changed hands meanwhile; the next sweep sees whose it is
    with database.writing() as session:
        _keep(session, texts, made, now=now)
    return len(waiting) == APPS_A_JOB


def _waiting(session: Session, model: str) -> Sequence[UUID]:
    has_some = select(Meaning.app_id).where(Meaning.app_id == App.id, Meaning.model == model)
    return session.exec(
        select(App.id)
        .where(App.state == AppState.LISTED, ~has_some.exists())
        .order_by(col(App.score).desc())
        .limit(APPS_A_JOB)
    ).all()


def _texts(
    session: Session, app_ids: Sequence[UUID], *, is_locked: bool = False
) -> dict[type_key, str]:
    """What these apps say of themselves, in each language."""
    if not app_ids:
        return {}
    wanted = select(App).where(col(App.id).in_(app_ids)).order_by(col(App.id))
    apps = session.exec(wanted.with_for_update() if is_locked else wanted).all()
    others = session.exec(select(ListingText).where(col(ListingText.app_id).in_(app_ids))).all()
    return {
        **{(AppId(app.id), "en"): _text(app) for app in apps},
        **{(other.app_id, other.locale): _text(other) for other in others},
    }


def _text(listing: App | ListingText) -> str:
    return f"{listing.name}. {listing.summary} {listing.description}"


def _embed(inference: Inference, texts: Sequence[str]) -> Embedded:
    """Vectors of the beginnings of these texts, as much of them as the model can read."""
    longest = LONGEST_TEXT
    while True:
        beginnings = tuple(text[:longest] for text in texts)
        try:
            return inference.embed(Embedding(new_id().hex, MAKER, "", beginnings))
        except Invalid:
            if longest <= SHORTEST_TEXT:
                raise
            longest //= 2


def _keep(
    session: Session, texts: Mapping[type_key, str], made: Embedded, *, now: datetime
) -> None:
    """Keep vectors, but of no text that was changed while its vector was made."""
    app_ids = list({app_id for app_id, _locale in texts})
    # The lock makes a new release wait, and a second worker, which then sees these vectors.
    present = _texts(session, app_ids, is_locked=True)
    known = session.exec(select(Meaning.app_id).where(col(Meaning.app_id).in_(app_ids))).all()
    for (app_id, locale), vector in zip(texts, made.vectors, strict=True):
        if app_id not in known and present.get((app_id, locale)) == texts[app_id, locale]:
            session.add(
                Meaning(
                    app_id=app_id,
                    model=made.model,
                    locale=locale,
                    vector=struct.pack(f"<{len(vector)}f", *vector),
                    made_at=now,
                )
            )
