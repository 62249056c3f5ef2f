"""A person's settings: their name, how they see the store, and the browsers that are theirs."""

from uuid import UUID

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from marketplace.accounts import forms, queries, service, sessions, tokens
from marketplace.accounts.pages import SettingsPage
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.web import i18n, theme
from marketplace.web.auth import (
    actor,
    actor_id,
    clear_session_cookie,
    known_actor,
    session_secret,
    signed_in_only,
)
from marketplace.web.edge import database, db
from marketplace.web.forms import NEXT, read
from marketplace.web.i18n import gettext as _

bp = Blueprint("account", __name__, url_prefix="/accounts")


def _page(error: Invalid | None = None) -> SettingsPage:
    person = known_actor()
    account = queries.account(db(), person.id)
    return SettingsPage(
        email=person.email,
        values={
            "name": person.name,
            "locale": person.locale or i18n.current_locale(),
            "theme": theme.chosen() or theme.AUTO,
            **forms.typed(request.form),
        },
        locales=[(language.key, language.name) for language in i18n.languages()],
        has_own_rows=account.has_own_rows,
        ads_fit_app=account.ads_fit_app,
        sessions=queries.sessions(db(), person.id, secret=session_secret(), now=utc_now()),
        errors=(error.fields or {"": error.message}) if error else {},
    )


def _back(section: str) -> Response:
    target = url_for("account.settings", _anchor=section)
    return current_app.make_response(redirect(target, code=303))


@bp.get("/settings")
@signed_in_only
def settings() -> ResponseReturnValue:
    """Everything a person may decide about themselves."""
    return render_template("accounts/settings.html", page=_page())


@bp.post("/settings")
@signed_in_only
def save_settings() -> ResponseReturnValue:
    """Save name, language and colours, for this browser and for those to come."""
    try:
        form = read(forms.SettingsForm, request.form)
        service.save_settings(db(), actor_id(), **form.model_dump())
    except Invalid as error:
        return render_template("accounts/settings.html", page=_page(error)), 422
    response = _back("you")
    i18n.remember(response, form.locale)
    theme.remember(response, form.theme)
    flash(i18n.catalogue(form.locale).gettext("Saved."), "success")
    return response


@bp.post("/settings/choices")
@signed_in_only
def save_choices() -> ResponseReturnValue:
    """Save what may be chosen by what this person does here."""
    form = read(forms.ChoicesForm, request.form)
    service.save_choices(
        db(), actor_id(), has_own_rows=bool(form.own_rows), ads_fit_app=bool(form.ads_fit_app)
    )
    flash(_("Saved."), "success")
    return _back("own-rows")


@bp.post("/look")
def look() -> ResponseReturnValue:
    """Change language or colours from the top of a page, and go back to that page.

    A visitor's browser remembers it; so does the account of who is signed in.
    """
    wanted, locale = request.form.get("theme"), request.form.get("locale")
    response = current_app.make_response(
        redirect(forms.local(request.form.get(NEXT)) or "/", code=303)
    )
    person = actor()
    if wanted is not None:
        theme.remember(response, wanted)
        if person:
            service.set_theme(db(), person.id, wanted)
    if locale is not None:
        if person:
            service.set_locale(db(), person.id, locale)
        if locale in i18n.locales():
            i18n.remember(response, locale)
    return response


@bp.post("/settings/password")
@signed_in_only
def change_password() -> ResponseReturnValue:
    """Change the password; every other browser is signed out, and every API token ends."""
    try:
        form = read(forms.PasswordForm, request.form)
        service.change_password(
            database(), actor_id(), **form.model_dump(), secret=session_secret(), now=utc_now()
        )
    except Invalid as error:
        return render_template("accounts/settings.html", page=_page(error)), 422
    flash(
        _("Your password is changed. Other browsers are signed out, API tokens are revoked."),
        "success",
    )
    return _back("password")


@bp.post("/sessions/<uuid:session_id>/end")
@signed_in_only
def end_session(session_id: UUID) -> ResponseReturnValue:
    """Sign one browser out."""
    sessions.end(db(), actor_id(), session_id)
    flash(_("That browser is signed out."), "success")
    return _back("browsers")


@bp.post("/sessions/end-others")
@signed_in_only
def end_other_sessions() -> ResponseReturnValue:
    """Sign every other browser out."""
    sessions.end_others(db(), actor_id(), session_secret())
    flash(_("Every other browser is signed out."), "success")
    return _back("browsers")


@bp.post("/sign-out-everywhere")
@signed_in_only
def sign_out_everywhere() -> ResponseReturnValue:
    """End every session of this person, this one too, and every API token."""
    sessions.end_all(db(), actor_id())
    tokens.revoke_all(db(), actor_id(), now=utc_now())
    flash(_("You are signed out everywhere, and your API tokens are revoked."), "success")
    response = current_app.make_response(redirect(url_for("accounts.sign_in"), code=303))
    clear_session_cookie(response)
    return response
