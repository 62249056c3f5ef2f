"""Pages of a person's own account: sign-up, sign-in, the operator's link, settings."""

from babel import Locale
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

from marketplace.accounts import forms, queries, service
from marketplace.accounts.pages import FormPage, SettingsPage
from marketplace.accounts.service import SignedIn, Visitor
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.web import i18n
from marketplace.web.auth import (
    actor,
    actor_id,
    clear_session_cookie,
    known_actor,
    session_cookie,
    set_session_cookie,
    signed_in_only,
)
from marketplace.web.edge import database, db
from marketplace.web.i18n import gettext as _

bp = Blueprint("accounts", __name__, url_prefix="/accounts")


def _visitor() -> Visitor:
    return Visitor(address=request.remote_addr, user_agent=request.user_agent.string)


def _next_url() -> str:
    return forms.local(request.values.get(forms.NEXT))


def _secret() -> str:
    return request.cookies.get(session_cookie(), "")


def _go(target: str) -> Response:
    return current_app.make_response(redirect(target, code=303))


def _welcome(signed_in: SignedIn, target: str) -> Response:
    response = _go(target)
    set_session_cookie(response, signed_in.secret, max_age_s=service.SESSION_S)
    return response


def _form_page(action: str, error: Invalid | None = None) -> FormPage:
    return FormPage(
        action=action,
        values=forms.typed(request.form),
        errors=(error.fields or {"": error.message}) if error else {},
        next_url=_next_url(),
    )


@bp.get("/sign-up")
def sign_up() -> ResponseReturnValue:
    """The form of a new account; who is signed in goes on."""
    if actor():
        return redirect(_next_url() or "/", code=303)
    page = _form_page(url_for("accounts.make_account"))
    return render_template("accounts/sign_up.html", page=page)


@bp.post("/sign-up")
def make_account() -> ResponseReturnValue:
    """Make an account and sign it in."""
    try:
        form = forms.read(forms.SignUpForm, request.form)
        signed_in = service.sign_up(db(), **form.model_dump(), visitor=_visitor(), now=utc_now())
    except Invalid as error:
        page = _form_page(url_for("accounts.make_account"), error)
        return render_template("accounts/sign_up.html", page=page), 422
    flash(_("Welcome! Your account is open."), "success")
    return _welcome(signed_in, _next_url() or "/")


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The form for people who come back; who is signed in goes on."""
    if actor():
        return redirect(_next_url() or "/", code=303)
    page = _form_page(url_for("accounts.open_session"))
    return render_template("accounts/sign_in.html", page=page)


@bp.post("/sign-in")
def open_session() -> ResponseReturnValue:
    """Check the password and go where the person wanted to go."""
    try:
        form = forms.read(forms.SignInForm, request.form)
        signed_in = service.sign_in(
            database(), **form.model_dump(), visitor=_visitor(), now=utc_now()
        )
    except Invalid as error:
        page = _form_page(url_for("accounts.open_session"), error)
        return render_template("accounts/sign_in.html", page=page), 422
    return _welcome(signed_in, _next_url() or "/")


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this browser's session."""
    service.sign_out(db(), _secret())
    flash(_("You are signed out."), "success")
    response = _go("/")
    clear_session_cookie(response)
    return response


@bp.get("/setup/<secret>")
def setup(secret: str) -> ResponseReturnValue:
    """The form that makes an operator."""
    service.usable_link(db(), secret, now=utc_now())
    page = _form_page(url_for("accounts.make_operator", secret=secret))
    return render_template("accounts/setup.html", page=page)


@bp.post("/setup/<secret>")
def make_operator(secret: str) -> ResponseReturnValue:
    """Make an operator, sign them in and show them their desk."""
    try:
        form = forms.read(forms.SignUpForm, request.form)
        signed_in = service.use_setup_link(
            db(), secret, **form.model_dump(), visitor=_visitor(), now=utc_now()
        )
    except Invalid as error:
        page = _form_page(url_for("accounts.make_operator", secret=secret), error)
        return render_template("accounts/setup.html", page=page), 422
    flash(_("You run this store now."), "success")
    return _welcome(signed_in, "/admin/")


def _settings_page(error: Invalid | None = None) -> SettingsPage:
    person = known_actor()
    return SettingsPage(
        email=person.email,
        values={
            "name": person.name,
            "locale": person.locale or i18n.current_locale(),
            **forms.typed(request.form),
        },
        locales=[(key, Locale.parse(key).get_display_name(key) or key) for key in i18n.locales()],
        sessions=queries.sessions(db(), person.id, secret=_secret(), now=utc_now()),
        errors=(error.fields or {"": error.message}) if error else {},
        has_own_rows=person.has_own_rows,
    )


@bp.get("/settings")
@signed_in_only
def settings() -> ResponseReturnValue:
    """Name, language, password, and the browsers that are signed in."""
    return render_template("accounts/settings.html", page=_settings_page())


@bp.post("/settings")
@signed_in_only
def save_settings() -> ResponseReturnValue:
    """Save name and language; `lang` in the address makes the browser remember it too."""
    try:
        form = forms.read(forms.SettingsForm, request.form)
        service.save_settings(db(), actor_id(), name=form.name, locale=form.locale)
    except Invalid as error:
        return render_template("accounts/settings.html", page=_settings_page(error)), 422
    flash(_("Saved."), "success")
    return redirect(url_for("accounts.settings", lang=form.locale), code=303)


@bp.post("/settings/own-rows")
@signed_in_only
def choose_own_rows() -> ResponseReturnValue:
    """Let the first page follow what this person has run, or not."""
    form = forms.read(forms.OwnRowsForm, request.form)
    service.set_own_rows(db(), actor_id(), are_shown=form.own_rows == "true")
    flash(_("Saved."), "success")
    return redirect(url_for("accounts.settings") + "#own-rows", code=303)


@bp.post("/settings/password")
@signed_in_only
def change_password() -> ResponseReturnValue:
    """Change the password; every other browser is signed out."""
    try:
        form = forms.read(forms.PasswordForm, request.form)
        service.change_password(
            database(), actor_id(), **form.model_dump(), secret=_secret(), now=utc_now()
        )
    except Invalid as error:
        return render_template("accounts/settings.html", page=_settings_page(error)), 422
    flash(_("Your password is changed. Other browsers are signed out."), "success")
    return redirect(url_for("accounts.settings"), code=303)


@bp.post("/sign-out-everywhere")
@signed_in_only
def sign_out_everywhere() -> ResponseReturnValue:
    """End every session of this person, this one too."""
    service.sign_out_everywhere(db(), actor_id())
    flash(_("You are signed out everywhere."), "success")
    response = _go(url_for("accounts.sign_in"))
    clear_session_cookie(response)
    return response
