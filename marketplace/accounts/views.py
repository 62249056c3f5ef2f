"""The doors of the store: sign-up, sign-in, sign-out, the operator's link."""

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

from marketplace.accounts import forms, service, sessions
from marketplace.accounts.pages import FormPage
from marketplace.accounts.service import SignedIn
from marketplace.accounts.sessions import Visitor
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.web import theme
from marketplace.web.auth import (
    actor,
    clear_session_cookie,
    session_secret,
    set_session_cookie,
)
from marketplace.web.edge import database, db
from marketplace.web.forms import NEXT, read
from marketplace.web.i18n import gettext as _

bp = Blueprint("accounts", __name__, url_prefix="/accounts")


def _visitor() -> Visitor:
    return Visitor(address=request.remote_addr, user_agent=request.user_agent.string)


def _next_url() -> str:
    return forms.local(request.values.get(NEXT))


def _go(target: str) -> Response:
    return current_app.make_response(redirect(target, code=303))


def _welcome(signed_in: SignedIn, target: str) -> Response:
    response = _go(target)
    set_session_cookie(response, signed_in.secret, max_age_s=sessions.SESSION_S)
    if signed_in.account.theme:
        theme.remember(response, signed_in.account.theme)
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
        form = read(forms.SignUpForm, request.form)
        signed_in = service.sign_up(
            database(), **form.model_dump(), visitor=_visitor(), now=utc_now()
        )
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
        form = read(forms.SignInForm, request.form)
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
    sessions.sign_out(db(), session_secret())
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
        form = read(forms.SignUpForm, request.form)
        signed_in = service.use_setup_link(
            database(), secret, **form.model_dump(), visitor=_visitor(), now=utc_now()
        )
    except Invalid as error:
        page = _form_page(url_for("accounts.make_operator", secret=secret), error)
        return render_template("accounts/setup.html", page=page), 422
    flash(_("You run this store now."), "success")
    return _welcome(signed_in, "/admin/")
