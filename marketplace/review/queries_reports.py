"""Reads of what people report."""

from sqlmodel import Session, col, select

from marketplace.accounts import queries as accounts
from marketplace.catalog.models import App, AppState
from marketplace.kernel.ids import AccountId, AppId
from marketplace.review.models import AppReport
from marketplace.review.pages import ReportedApp, ReportRow
from marketplace.review.reports import KINDS, NoSuchApp
from marketplace.web.i18n import gettext as _

MOST_SHOWN = 200


def reported(session: Session) -> list[ReportedApp]:
    """The apps with open reports, the longest waiting first, then those taken down."""
    rows = session.exec(
        select(AppReport)
        .where(col(AppReport.decided_at).is_(None))
        .order_by(col(AppReport.created_at))
        .limit(MOST_SHOWN)
    ).all()
    by_app: dict[AppId, list[AppReport]] = {}
    for row in rows:
        by_app.setdefault(AppId(row.app_id), []).append(row)
    blocked = session.exec(
        select(App).where(App.state == AppState.BLOCKED).order_by(App.ident).limit(MOST_SHOWN)
    ).all()
    apps = {AppId(app.id): app for app in blocked}
    for app in session.exec(select(App).where(col(App.id).in_(by_app))).all():
        apps[AppId(app.id)] = app
    names = accounts.names(session, {AccountId(app.owner_id) for app in apps.values()})
    wanted = [*by_app, *(app_id for app_id in apps if app_id not in by_app)]
    return [
        _shown(apps[app_id], names[AccountId(apps[app_id].owner_id)], by_app.get(app_id, []))
        for app_id in wanted
    ]


def reported_app(session: Session, ident: str) -> ReportedApp:
    """One app as an operator judges it. Raises: NoSuchApp."""
    app = session.exec(select(App).where(App.ident == ident)).first()
    if app is None:
        raise NoSuchApp(_("There is no app “%(ident)s” in this store.", ident=ident))
    rows = session.exec(
        select(AppReport)
        .where(AppReport.app_id == app.id, col(AppReport.decided_at).is_(None))
        .order_by(col(AppReport.created_at))
        .limit(MOST_SHOWN)
    ).all()
    owner = AccountId(app.owner_id)
    return _shown(app, accounts.names(session, {owner})[owner], list(rows))


def _shown(app: App, developer: str, rows: list[AppReport]) -> ReportedApp:
    return ReportedApp(
        ident=app.ident,
        name=app.name,
        summary=app.summary,
        developer=developer,
        state=app.state.value,
        reports=[ReportRow(_(KINDS[row.kind]), row.words, row.created_at) for row in rows],
        blocked_reason=app.blocked_reason,
    )
