"""Counting runs; publishing itself is tested where a reviewer does it."""

from sqlmodel import Session

from marketplace.catalog import service
from marketplace.kernel.ids import AppId
from tests.factories.catalog import make_app


def test_a_run_is_counted_once_and_for_its_app_alone(session: Session) -> None:
    app, other = make_app(session, run_count=4), make_app(session)
    service.count_run(session, AppId(app.id))
    session.refresh(app)
    session.refresh(other)
    assert (app.run_count, other.run_count) == (5, 0)
