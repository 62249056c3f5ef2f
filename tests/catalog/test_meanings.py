"""Vectors of apps: made beside the requests, made anew with a text or a model, gone with a role."""

from collections.abc import Callable

import pytest
from sqlmodel import Session, col, select

from marketplace.catalog import jobs, meanings, service
from marketplace.catalog.models import App, AppState, ListingText
from marketplace.catalog.models_meaning import Meaning
from marketplace.inference.ports import BadGeneration, Embedded, Embedding, QueueFull
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext, JobState
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from tests.factories.accounts import make_account
from tests.factories.catalog import NOON, make_app, make_listed, make_release, manifest_of
from tests.factories.meanings import Meaningful


def kept(database: Database) -> dict[tuple[str, str], str]:
    """Name and language of what has vectors → the model."""
    with database.reading() as session:
        rows = session.exec(
            select(App.name, Meaning.locale, Meaning.model).join(
                App, col(App.id) == col(Meaning.app_id)
            )
        ).all()
    return {(name, locale): model for name, locale, model in rows}


def make(database: Database, engine: Meaningful) -> bool:
    return meanings.make(database, engine, now=utc_now())


def waiting(session: Session) -> list[Job]:
    is_ours = (Job.name == meanings.MAKE) & (col(Job.state) == JobState.QUEUED)
    return list(session.exec(select(Job).where(is_ours)).all())


@pytest.fixture
def lease(empty_database: Database) -> App:
    """An app with texts in two languages."""
    with empty_database.writing() as session:
        app = make_listed(session, name="Lease")
        session.add(ListingText(app_id=app.id, locale="ar", name="عقد", summary="ملخص."))
    return app


@pytest.mark.usefixtures("lease")
def test_every_language_of_a_listed_app_has_a_vector(empty_database: Database) -> None:
    with empty_database.writing() as session:
        make_app(session, name="Hidden", state=AppState.HIDDEN)
    engine = Meaningful()
    assert not make(empty_database, engine)
    assert kept(empty_database) == {("Lease", "en"): "sense", ("Lease", "ar"): "sense"}
    _probe, asked = engine.embedded
    assert asked.texts[0].startswith("Lease. A small app")
    make(empty_database, engine)
    assert [each.texts for each in engine.embedded[2:]] == [(meanings.PROBE,)], (
        "what has a vector is not made again"
    )


@pytest.mark.usefixtures("lease")
def test_another_model_makes_all_anew(empty_database: Database) -> None:
    make(empty_database, Meaningful())
    make(empty_database, Meaningful("newer"))
    assert set(kept(empty_database).values()) == {"newer"}


@pytest.mark.usefixtures("lease")
def test_without_a_model_of_the_role_nothing_is_made_and_nothing_stays(
    empty_database: Database,
) -> None:
    engine = Meaningful()
    make(empty_database, engine)
    engine.roles = ("default",)
    make(empty_database, engine)
    assert kept(empty_database) == {}
    assert len(engine.embedded) == 2


@pytest.mark.usefixtures("lease")
def test_an_engine_that_is_away_takes_nothing_with_it(empty_database: Database) -> None:
    make(empty_database, Meaningful())
    make(empty_database, Meaningful("newer", why_not="It is not running."))
    assert set(kept(empty_database).values()) == {"sense"}


def test_a_new_release_is_read_anew(empty_database: Database, lease: App) -> None:
    make(empty_database, Meaningful())
    with empty_database.writing() as session:
        app = session.get_one(App, lease.id)
        manifest = manifest_of(app.ident, "1.1.0", app={"name": "Digest"})
        release = make_release(session, app=app, version="1.1.0", manifest=manifest)
        service.publish(session, release, now=NOON)
    assert kept(empty_database) == {}
    with empty_database.reading() as session:
        assert len(waiting(session)) == 1
    make(empty_database, Meaningful())
    assert kept(empty_database) == {("Digest", "en"): "sense"}


def test_a_text_that_changes_while_it_is_read_waits_for_its_next_turn(
    empty_database: Database, lease: App
) -> None:
    class Interrupted(Meaningful):
        def embed(self, embedding: Embedding) -> Embedded:
            if embedding.texts != (meanings.PROBE,):
                with empty_database.writing() as session:
                    session.get_one(App, lease.id).summary = "Something else."
            return super().embed(embedding)

    make(empty_database, Interrupted())
    assert kept(empty_database) == {("Lease", "ar"): "sense"}


def test_a_job_makes_a_few_and_hands_on_the_rest(empty_database: Database) -> None:
    with empty_database.writing() as session:
        owner = make_account(session, is_developer=True)
        for number in range(meanings.APPS_A_JOB + 1):
            make_app(session, owner=owner, name=f"App {number}", score=number)
    handler = jobs.handlers(Meaningful())[meanings.MAKE]
    for left in (1, 0):
        handler(JobContext(empty_database, {}, NOON))
        with empty_database.writing() as session:
            jobs_left = waiting(session)
            assert len(jobs_left) == left
            for job in jobs_left:
                session.delete(job)
        assert (("App 0", "en") in kept(empty_database)) == (left == 0)


@pytest.mark.usefixtures("lease")
def test_a_long_text_is_read_as_far_as_the_model_can(empty_database: Database) -> None:
    with empty_database.writing() as session:
        make_app(session, name="Long", description="word " * 1000)
    engine = refusing(lambda text: len(text) > 300)
    make(empty_database, engine)
    assert ("Long", "en") in kept(empty_database)
    assert max(len(text) for text in engine.embedded[-1].texts) == 250


@pytest.mark.usefixtures("lease")
def test_a_model_that_can_read_nothing_is_told_of(empty_database: Database) -> None:
    with pytest.raises(Invalid):
        make(empty_database, refusing(lambda _text: True))


@pytest.mark.usefixtures("lease")
def test_a_busy_engine_is_asked_again_by_the_next_sweep(empty_database: Database) -> None:
    class Busy(Meaningful):
        def embed(self, embedding: Embedding) -> Embedded:
            raise QueueFull("Many wait.", retry_after_s=1)

    with pytest.raises(QueueFull):
        make(empty_database, Busy())
    assert kept(empty_database) == {}
    make(empty_database, Meaningful())
    assert len(kept(empty_database)) == 2


def refusing(is_too_long: Callable[[str], bool]) -> Meaningful:
    class Short(Meaningful):
        def embed(self, embedding: Embedding) -> Embedded:
            if any(map(is_too_long, embedding.texts)):
                raise BadGeneration("Text 1 is too long.")
            return super().embed(embedding)

    return Short()


def test_a_vector_of_a_role_that_changed_hands_is_not_kept(
    empty_database: Database, lease: App
) -> None:
    class Replaced(Meaningful):
        def embed(self, embedding: Embedding) -> Embedded:
            if embedding.texts != (meanings.PROBE,):
                self.name = "newer"
            return super().embed(embedding)

    make(empty_database, Replaced())
    assert kept(empty_database) == {}
