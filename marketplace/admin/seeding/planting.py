"""Writes the made-up catalogue into a store's database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, select

from marketplace.accounts.models import Account
from marketplace.accounts.service import HOUSE_ID
from marketplace.admin.seeding import catalogue
from marketplace.admin.seeding.catalogue import MadeApp
from marketplace.catalog import editorial, ranking, search, search_index, standings
from marketplace.catalog.editorial import Draft
from marketplace.catalog.models import (
    App,
    AppState,
    Collection,
    ListingText,
    Product,
    Rating,
    RatingState,
    Release,
    ReleaseState,
    Use,
)
from marketplace.infra.db import Database
from marketplace.kernel.errors import Conflict, Invalid
from marketplace.runs.models import Run, RunState

APPS_AT_ONCE = 5000
APPS_A_COLLECTION = 6
RUN_DAYS = 3
CURRENCY = "USD"
# Early enough to be past on any day that has begun.
MORNING = time(0, 1, tzinfo=UTC)
BUNDLE_BYTES = 24_000


class TooMany(Invalid):
    """More apps were asked for than can be told apart."""


class AlreadySeeded(Conflict):
    """The store has these apps."""


@dataclass(frozen=True)
class Template:
    """A published release whose code a made-up app runs."""

    release: Release
    category: str


@dataclass(frozen=True)
class Batch:
    """Rows of one transaction, by table, and what they are made with."""

    ids: "Ids"
    today: date
    rows: dict[type[SQLModel], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: type[SQLModel], **values: Any) -> None:
        """One more row."""
        self.rows.setdefault(table, []).append(values)


def plant(
    database: Database, count: int, *, seed: int, today: date, say: Callable[[str], None]
) -> None:
    """Add `count` made-up apps with their people, uses and runs; the same for the same numbers.

    The apps run the code of the store's own published apps, where there are any.

    Args:
        today: the day the catalogue's life is told up to.
        say: is told now and then how far it is.
    Raises: TooMany, AlreadySeeded.
    """
    if count > catalogue.most_apps():
        raise TooMany(f"At most {catalogue.most_apps()} apps can be told apart; ask for fewer.")
    ids = Ids(seed)
    draw = Random(seed)  # noqa: S311  (made-up people, no secrets)
    with database.writing() as session:
        maker = select(Account.id).where(Account.email == _address("maker", 0))
        if session.exec(maker).first() is not None:
            raise AlreadySeeded("This store is seeded already. Use a new data folder.")
        templates = _templates(session)
        _plant_people(session, count, ids, draw, today)
    if not templates:
        say("The store's own apps are not published yet, so the seeded ones cannot be run.")
    made = enumerate(catalogue.apps(count, seed=seed, today=today))
    done = 0
    while some := list(islice(made, APPS_AT_ONCE)):
        with database.writing() as session:
            _plant_apps(session, some, Batch(ids, today), templates)
        done += len(some)
        say(f"{done} of {count} apps")
    standings.refresh_all(database, before=today + timedelta(days=1))
    with database.writing() as session:
        _plant_collections(session, today)


class Ids:
    """Row ids that are the same for the same seed, and grow, so that indexes fill at their end."""

    KINDS = ("developer", "person", "app", "release", "product", "text", "run", "review")

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, kind: str, number: int) -> UUID:
        """The id of the n-th thing of a kind."""
        return UUID(int=self.KINDS.index(kind) + 1 << 120 | self._seed % 2**56 << 64 | number)


def _address(kind: str, number: int) -> str:
    """An address in a domain that nobody can own (RFC 2606)."""
    return f"{kind}-{number}@seed.example"


def _moment(day: date) -> datetime:
    return datetime.combine(day, MORNING)


def _templates(session: Session) -> list[Template]:
    found = session.exec(
        select(Release, App.category)
        .join(App, col(App.current_release_id) == col(Release.id))
        .where(App.owner_id == HOUSE_ID)
        .order_by(App.ident)
    ).all()
    return [Template(release, category) for release, category in found]


def _plant_people(session: Session, count: int, ids: Ids, draw: Random, today: date) -> None:
    joined = _moment(today - timedelta(days=catalogue.FIRST_DAY_BEFORE + 30))
    makers = catalogue.developers(count, Random(ids("developer", 0).int))  # noqa: S311
    batch = Batch(ids, today)
    for number, name in enumerate(makers):
        _add_person(batch, ids("developer", number), _address("maker", number), name, joined)
        batch.rows[Account][-1]["is_developer"] = True
    for number in range(catalogue.people_count(count)):
        name = catalogue.person_name(draw)
        _add_person(batch, ids("person", number), _address("person", number), name, joined)
    _write(session, batch)


def _add_person(batch: Batch, id_: UUID, email: str, name: str, joined: datetime) -> None:
    batch.add(
        Account,
        id=id_,
        email=email,
        name=name,
        password_hash=None,  # nobody signs in as a made-up person
        is_developer=False,
        is_operator=False,
        locale=None,
        created_at=joined,
        is_closed=False,
    )


def _write(session: Session, batch: Batch) -> None:
    for table, rows in batch.rows.items():
        session.connection().execute(insert(table), rows)


def _plant_apps(
    session: Session,
    made: Sequence[tuple[int, MadeApp]],
    batch: Batch,
    templates: Sequence[Template],
) -> None:
    documents = []
    for number, app in made:
        template = _template_for(app, number, templates)
        row, texts = _app_row(app, number, batch.ids), _text_row(app, number, batch.ids)
        batch.add(App, **row)
        batch.add(ListingText, **texts)
        documents.append(search.document(App(**row), [ListingText(**texts)]))
        _add_releases(batch, app, number, template)
        if app.price_micros:
            _add_product(batch, app, number)
        for person, day in app.uses:
            who = batch.ids("person", person)
            batch.add(Use, app_id=row["id"], person_id=who, day=day, times=1)
        _add_reviews(batch, app, number)
        if template:
            _add_runs(batch, app, number, template.release)
    _write(session, batch)
    search.index_of(session.connection()).put(session, documents)


def _template_for(app: MadeApp, number: int, templates: Sequence[Template]) -> Template | None:
    fitting = [each for each in templates if each.category == app.category] or templates
    return fitting[number % len(fitting)] if fitting else None


def _release_id(ids: Ids, app: int, version: int) -> UUID:
    return ids("release", app * 8 + version)


def _app_row(app: MadeApp, number: int, ids: Ids) -> dict[str, Any]:
    score = ranking.prior(len(app.uses), ranking.MIDDLE)
    return {
        "id": ids("app", number),
        "ident": app.ident,
        "owner_id": ids("developer", app.developer),
        "name": app.english.name,
        "summary": app.english.summary,
        "description": app.english.description,
        "category": app.category,
        "age": app.age,
        "state": AppState.LISTED,
        "current_release_id": _release_id(ids, number, len(app.versions) - 1),
        "icon_key": None,
        "icon_type": None,
        "run_count": len(app.uses),
        "people_count": len(app.uses),
        "rating_count": len(app.reviews),
        "rating_total": sum(review.stars for review in app.reviews),
        "rating_score": ranking.MIDDLE,
        "trend": 0.0,
        "score": score,
        "search_row": search_index.row_for(score, number),
        "price_micros": app.price_micros,
        "currency": CURRENCY if app.price_micros else None,
        "created_at": _moment(app.versions[0][1]),
        "published_at": _moment(app.versions[0][1]),
    }


def _text_row(app: MadeApp, number: int, ids: Ids) -> dict[str, Any]:
    return {
        "id": ids("text", number),
        "app_id": ids("app", number),
        "locale": "ar",
        "name": app.arabic.name,
        "summary": app.arabic.summary,
        "description": app.arabic.description,
    }


def _add_product(batch: Batch, app: MadeApp, number: int) -> None:
    ids = batch.ids
    batch.add(
        Product,
        id=ids("product", number),
        app_id=ids("app", number),
        key="whole",
        kind="one_time",
        name="The whole app",
        price_micros=app.price_micros,
        currency=CURRENCY,
        unlocks="app",
        active=True,
    )


def _add_releases(batch: Batch, app: MadeApp, number: int, template: Template | None) -> None:
    ids = batch.ids
    base = template.release if template else None
    for place, (version, day) in enumerate(app.versions):
        batch.add(
            Release,
            id=_release_id(ids, number, place),
            app_id=ids("app", number),
            publisher_id=ids("developer", app.developer),
            version=version,
            manifest=_manifest(app, version, base.manifest if base else {}),
            listings={},
            actions=base.actions if base else {"actions": []},
            bundle_key=base.bundle_key if base else "0" * 64,
            bundle_bytes=base.bundle_bytes if base else BUNDLE_BYTES,
            code_key=base.code_key if base else None,
            icon_key=None,
            state=ReleaseState.PUBLISHED,
            state_changed_at=_moment(day),
            created_at=_moment(day),
            verdict="",
            decided_by=None,
        )


def _add_reviews(batch: Batch, app: MadeApp, number: int) -> None:
    for place, review in enumerate(app.reviews):
        batch.add(
            Rating,
            id=batch.ids("review", number << 20 | place),
            app_id=batch.ids("app", number),
            person_id=batch.ids("person", review.person),
            version=[version for version, day in app.versions if day <= review.day][-1],
            stars=review.stars,
            words=review.words,
            locale=review.locale,
            is_current=True,
            state=RatingState.SHOWN,
            reason="",
            decided_by=None,
            helpful_count=0,
            reply=review.reply,
            replied_at=_moment(review.day) if review.reply else None,
            created_at=_moment(review.day),
            changed_at=_moment(review.day),
        )


def _manifest(app: MadeApp, version: str, base: dict[str, Any]) -> dict[str, Any]:
    """The template's manifest under another name; what it may do stays, for its code needs it."""
    section = {
        "id": app.ident,
        "name": app.english.name,
        "version": version,
        "summary": app.english.summary,
        "description": app.english.description,
        "categories": [app.category],
        "licence": app.licence,
        "age": app.age,
        "icon": "assets/icon.svg",
        "support": f"https://{app.ident.partition('.')[0]}.example/help",
    }
    permission = [{"name": "llm.generate", "reason": app.english.summary}]
    return {"permission": permission, **base, "app": section, "product": []}


def _add_runs(batch: Batch, app: MadeApp, number: int, release: Release) -> None:
    ids, action = batch.ids, release.actions["actions"][0]["name"]
    for place, (person, day) in enumerate(app.uses):
        if (batch.today - day).days >= RUN_DAYS:
            continue
        ended = _moment(day)
        batch.add(
            Run,
            id=ids("run", number << 20 | place),
            app_id=ids("app", number),
            release_id=_release_id(ids, number, len(app.versions) - 1),
            person_id=ids("person", person),
            action=action,
            input={},
            locale="en",
            state=RunState.FINISHED,
            state_changed_at=ended,
            created_at=ended - timedelta(seconds=2),
            output=[{"kind": "text", "text": app.english.summary}],
            prompt_tokens=180,
            generated_tokens=96,
            prefill_ms=120,
            decode_ms=900,
            kv_token_ms=214_200,
            wall_ms=1400,
            host_calls=1,
            permissions_used=["llm.generate"],
        )


def _plant_collections(session: Session, today: date) -> None:
    """The most used apps of some categories, a few for each collection; the first is the hero."""
    taken = set(session.exec(select(Collection.key)).all())
    for key, title, lead, arabic_title, arabic_lead, shelves in catalogue.vocabulary()[
        "collections"
    ]:
        chosen = session.exec(
            select(App.ident)
            .where(App.state == AppState.LISTED, col(App.category).in_(shelves))
            .order_by(col(App.score).desc(), App.ident)
            .limit(APPS_A_COLLECTION)
        ).all()
        if key in taken or not chosen:
            continue
        texts = {
            "en": {"title": title, "lead": lead},
            "ar": {"title": arabic_title, "lead": arabic_lead},
        }
        draft = Draft(texts, chosen, is_hero=not taken)
        editorial.make(session, draft, now=_moment(today), key=key)
        taken.add(key)
