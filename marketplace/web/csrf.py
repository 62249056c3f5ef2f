"""Refuses forms that another site makes a person's browser send."""

import hashlib
import hmac
import secrets

from flask import Flask, Response, current_app, g, request
from markupsafe import Markup

from marketplace.kernel.errors import Forbidden
from marketplace.web.auth import NotSignedIn, bearer_secret, session_cookie

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
VISITOR_COOKIE = "caravan_visitor"
FIELD = "csrf_token"
HEADER = "X-CSRF-Token"


class ForeignForm(Forbidden):
    """The form did not come from a page of ours."""


def _bound_to() -> str:
    """What the token is tied to: the session, or before sign-in a cookie of the visitor."""
    bound = request.cookies.get(session_cookie()) or request.cookies.get(VISITOR_COOKIE)
    if bound is None:
        bound = g.get("visitor") or secrets.token_urlsafe(24)
        g.visitor = bound
    return bound


def token() -> str:
    """This browser's token: an HMAC of its session under the store's secret key.

    OWASP's signed double-submit pattern: nothing to store, and useless in another session.
    """
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, b"csrf:" + _bound_to().encode(), hashlib.sha256).hexdigest()


def field() -> Markup:
    """The hidden input every form carries."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token())


def _check() -> None:
    if request.method in SAFE_METHODS or bearer_secret():
        return
    if request.path.startswith("/api/") and session_cookie() not in request.cookies:
        # No browser's form, but a program that forgot its token.
        raise NotSignedIn("Send your API token in the header “Authorization: Bearer …”.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise ForeignForm("This form was sent from another site, so it was not accepted.")
    sent = request.headers.get(HEADER) or request.form.get(FIELD, "")
    # As bytes: on texts the comparison refuses letters outside ASCII with an error of its own.
    if not hmac.compare_digest(sent.encode(errors="replace"), token().encode()):
        raise ForeignForm(
            "This page was open for too long. Go back, reload it, and send the form again.",
            rule="csrf",
        )


def _keep_visitor(response: Response) -> Response:
    if "visitor" in g:
        response.set_cookie(
            VISITOR_COOKIE,
            g.visitor,
            secure=current_app.config["SECURE_COOKIES"],
            httponly=True,
            samesite="Lax",
        )
    return response


def install(app: Flask) -> None:
    """Check every unsafe request, and offer the token to templates."""
    app.before_request(_check)
    app.after_request(_keep_visitor)
    app.jinja_env.globals.update(csrf_token=token, csrf_field=field)
