"""A developer's doors: becoming one, and the API tokens of their tools."""

from uuid import UUID

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from marketplace.accounts import forms, queries, service, tokens
from marketplace.accounts.pages import TokensPage
from marketplace.kernel.clock import utc_now
from marketplace.kernel.errors import Invalid
from marketplace.kernel.ids import TokenId
from marketplace.web.auth import (
    TokenScope,
    actor_id,
    any_token_too,
    developer_only,
    known_actor,
    signed_in_only,
)
from marketplace.web.edge import db
from marketplace.web.forms import NEXT, read
from marketplace.web.i18n import gettext as _

bp = Blueprint("tokens", __name__)


@bp.post("/portal/become-developer")
@signed_in_only
def become_developer() -> ResponseReturnValue:
    """Let this person publish apps, and show them the portal."""
    service.become_developer(db(), actor_id())
    flash(_("You are a developer now. Publish something good!"), "success")
    return redirect(forms.local(request.form.get(NEXT)) or "/portal/", code=303)


@bp.get("/portal/tokens")
@developer_only
def index() -> ResponseReturnValue:
    """This developer's tokens, and the form that makes one."""
    rows = queries.tokens(db(), actor_id(), now=utc_now())
    page = TokensPage(rows=rows, days=tokens.TOKEN_DAYS)
    return render_template("portal/tokens.html", page=page)


@bp.post("/portal/tokens")
@developer_only
def create() -> ResponseReturnValue:
    """Make a token and show its secret, this once: the answer is the page, not a redirect."""
    now = utc_now()
    made, errors = None, {}
    try:
        form = read(forms.TokenForm, request.form)
        scopes = (TokenScope.PUBLISH, *((TokenScope.RUN,) if form.may_run else ()))
        made = tokens.new_api_token(db(), actor_id(), name=form.name, now=now, scopes=scopes)
    except Invalid as error:
        errors = error.fields
    page = TokensPage(
        rows=queries.tokens(db(), actor_id(), now=now),
        days=tokens.TOKEN_DAYS,
        new_secret=made.secret if made else "",
        values={} if made else forms.typed(request.form),
        errors=errors,
    )
    response = render_template("portal/tokens.html", page=page)
    # A secret must not come back from a cache with the Back button.
    return response, 422 if errors else 200, {"Cache-Control": "no-store"}


@bp.post("/portal/tokens/<uuid:token_id>/revoke")
@developer_only
def revoke(token_id: UUID) -> ResponseReturnValue:
    """End a token at once."""
    token = tokens.revoke(db(), TokenId(token_id), account_id=actor_id(), now=utc_now())
    flash(_("The token “%(name)s” is revoked.", name=token.name), "success")
    return redirect(url_for("tokens.index"), code=303)


@bp.get("/api/v1/whoami")
@any_token_too
def whoami() -> ResponseReturnValue:
    """Who a token belongs to, for tools that want to check it."""
    person = known_actor()
    return jsonify(
        id=str(person.id),
        name=person.name,
        email=person.email,
        roles=sorted(person.roles),
        via_token=person.via_token,
        scopes=sorted(person.scopes),
    )
