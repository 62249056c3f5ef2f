"""Reporting an app, and the desk where reports are read."""

from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.catalog import forms as catalog_forms
from marketplace.catalog import queries as catalog
from marketplace.catalog.models import App
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.review import queries_reports, reports
from marketplace.review.forms import ReasonForm, ReportForm
from marketplace.review.pages import ReportPage
from marketplace.web.auth import actor_id, operator_only, signed_in_only
from marketplace.web.edge import after_commit, db
from marketplace.web.i18n import current_locale
from marketplace.web.i18n import gettext as _
from marketplace.web.page_cache import forget_pages

bp = Blueprint("reports", __name__)


def _page(app: App, error: Invalid | None = None) -> ReportPage:
    name = catalog.names(db(), [app.id], locale=current_locale())[app.id]
    return ReportPage(
        ident=app.ident,
        name=name,
        kinds=[(kind, _(words)) for kind, words in reports.KINDS.items()],
        kind=request.form.get("kind", ""),
        words=request.form.get("words", ""),
        errors=error.fields if error and error.fields else {},
    )


@bp.get("/apps/<ident>/report")
@signed_in_only
def form(ident: str) -> ResponseReturnValue:
    """The form in which a person says what is wrong with an app."""
    app = catalog.app_by_ident(db(), ident)
    return render_template("review/report.html", page=_page(app))


@bp.post("/apps/<ident>/report")
@signed_in_only
def send(ident: str) -> ResponseReturnValue:
    """Report an app to those who run the store."""
    app = catalog.app_by_ident(db(), ident)
    try:
        sent = catalog_forms.read(ReportForm, request.form)
    except Invalid as error:
        return render_template("review/report.html", page=_page(app, error)), 422
    reports.report(
        db(), app, reporter_id=actor_id(), kind=sent.kind, words=sent.words, now=utc_now()
    )
    flash(_("Thank you. A person will read your report."), "success")
    return redirect(url_for("catalog.app", ident=ident), code=303)


@bp.get("/review/apps/")
@operator_only
def reported() -> ResponseReturnValue:
    """Apps that people report, and those that were taken down."""
    return render_template("review/apps.html", apps=queries_reports.reported(db()))


@bp.get("/review/apps/<ident>")
@operator_only
def app(ident: str) -> ResponseReturnValue:
    """One app with what people say is wrong, and the decisions there are."""
    return render_template("review/app.html", page=queries_reports.reported_app(db(), ident))


@bp.post("/review/apps/<ident>/take-down")
@operator_only
def take_down(ident: str) -> ResponseReturnValue:
    """Take an app out of the store; without a reason the page comes back and asks for one."""
    try:
        sent = catalog_forms.read(ReasonForm, request.form)
        reports.take_down(db(), ident, operator_id=actor_id(), reason=sent.reason, now=utc_now())
    except Invalid as error:
        page = queries_reports.reported_app(db(), ident)
        page = replace(page, reason=request.form.get("reason", ""), error=error.message)
        return render_template("review/app.html", page=page), 422
    after_commit(forget_pages)
    flash(_("The app is out of the store, and its developer has a letter."), "success")
    return redirect(url_for("reports.reported"), code=303)


@bp.post("/review/apps/<ident>/dismiss")
@operator_only
def dismiss(ident: str) -> ResponseReturnValue:
    """Leave an app as it is."""
    reports.dismiss(db(), ident, operator_id=actor_id(), now=utc_now())
    flash(_("Decided."), "success")
    return redirect(url_for("reports.reported"), code=303)


@bp.post("/review/apps/<ident>/put-back")
@operator_only
def put_back(ident: str) -> ResponseReturnValue:
    """Put an app that was taken down into the store again."""
    reports.put_back(db(), ident)
    after_commit(forget_pages)
    flash(_("The app is in the store again."), "success")
    return redirect(url_for("reports.app", ident=ident), code=303)
