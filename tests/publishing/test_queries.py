"""Reads of the portal: a developer sees their own apps, and nobody else's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import Session

from marketplace.catalog.models import ReleaseState
from marketplace.kernel.ids import AccountId, AppId, ReleaseId
from marketplace.kernel.money import Money
from marketplace.publishing import queries
from tests.factories.accounts import make_account
from tests.factories.catalog import make_app, make_listed, make_release


@dataclass(frozen=True)
class Brought:
    sales: int
    shares: Sequence[Money]


def nothing_found(
    _session: Session, _ids: Sequence[ReleaseId]
) -> Mapping[ReleaseId, list[dict[str, Any]]]:
    return {}


def test_a_developers_apps_come_with_runs_sales_and_shares(session: Session) -> None:
    lina = make_account(session, is_developer=True)
    listed = make_listed(session, owner=lina, ident="tests.a", run_count=7)
    make_app(session, owner=lina, ident="tests.b")
    make_listed(session)
    share = Money(3_500_000, "USD")

    def earned(_session: Session, developer_id: AccountId) -> Mapping[AppId, Any]:
        assert developer_id == lina.id
        return {listed.id: Brought(2, [share])}

    first, second = queries.apps(session, lina.id, earned)
    assert (first.ident, first.version, first.runs, first.sales) == ("tests.a", "1.0.0", 7, 2)
    assert list(first.earned) == [share]
    assert (second.ident, second.version, second.sales, list(second.earned)) == (
        "tests.b",
        "",
        0,
        [],
    )


def test_versions_come_newest_first_with_what_the_checks_found(session: Session) -> None:
    app = make_app(session)
    old = make_release(session, app=app, version="1.0.0", state=ReleaseState.PUBLISHED)
    new = make_release(
        session,
        app=app,
        version="1.1.0",
        created_at=old.created_at.replace(hour=13),
        state=ReleaseState.REJECTED,
        verdict="Too loud.",
    )
    finding = {"rule": "code", "level": "pass"}
    page = queries.releases(session, app.ident, app.owner_id, lambda *_: {new.id: [finding]})
    assert [row.version for row in page.releases] == ["1.1.0", "1.0.0"]
    assert [list(row.checks) for row in page.releases] == [[finding], []]
    assert page.releases[0].verdict == "Too loud."


def test_other_peoples_apps_and_releases_are_not_there(session: Session) -> None:
    release = make_release(session, app=(app := make_app(session)))
    stranger = make_account(session, is_developer=True)
    with pytest.raises(queries.NotYours):
        queries.releases(session, app.ident, stranger.id, nothing_found)
    with pytest.raises(queries.NotYours):
        queries.release_of(session, release.id, stranger.id)
    assert queries.release_of(session, release.id, app.owner_id) is release
