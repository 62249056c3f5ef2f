"""The edge of a request: its session, its commit, and what its errors become."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, jsonify, render_template, request
from sqlalchemy.exc import DataError, OperationalError
from sqlmodel import Session
from werkzeug.exceptions import HTTPException, InternalServerError

from marketplace.infra.db import Database, is_disk_full
from marketplace.kernel.errors import (
    CaravanError,
    Conflict,
    Forbidden,
    Invalid,
    Limited,
    NotFound,
    TooLarge,
    Unavailable,
)
from marketplace.kernel.ids import new_id
from marketplace.kernel.words import noted
from marketplace.web.auth import NotSignedIn, actor, wants_json
from marketplace.web.csrf import SAFE_METHODS
from marketplace.web.i18n import gettext as _

log = structlog.get_logger()

STATUSES: dict[type[CaravanError], int] = {
    NotSignedIn: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    Invalid: 422,
    Limited: 429,
    Unavailable: 503,
}


@dataclass(frozen=True)
class ErrorPage:
    """What the error page shows.

    Args:
        message: a sentence for the person.
        request_id: what they can quote to the operator.
    """

    status: int
    title: str
    message: str
    request_id: str


def db() -> Session:
    """This request's session, committed at the end when the answer's status is below 400.

    Requests that only read (GET, HEAD) get a session that cannot hold up a writer.
    """
    if "db" not in g:
        g.db = database().open(writes=request.method not in SAFE_METHODS)
    session: Session = g.db
    return session


def database() -> Database:
    """The store's database, for the few changes that outlive an answer that is an error."""
    found: Database = current_app.extensions["database"]
    return found


def after_commit(action: Callable[[], None]) -> None:
    """Do this once the request's changes are safely in the database; never if they are not."""
    g.setdefault("after_commit", []).append(action)


def status_of(error: CaravanError) -> int:
    """The HTTP status of an error's family."""
    return next(status for family, status in STATUSES.items() if isinstance(error, family))


def _settle(response: Response) -> Response:
    session: Session | None = g.pop("db", None)
    actions: list[Callable[[], None]] = g.pop("after_commit", [])
    if session is not None:
        try:
            if response.status_code < HTTPStatus.BAD_REQUEST:
                session.commit()
            else:
                session.rollback()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
    if response.status_code < HTTPStatus.BAD_REQUEST:
        for action in actions:
            action()
    return response


def _close(_error: BaseException | None) -> None:
    session: Session | None = g.pop("db", None)
    if session is not None:
        session.rollback()
        session.close()


def _answer(
    status: int,
    message: str,
    *,
    rule: str | None = None,
    fields: dict[str, str] | None = None,
    details: dict[str, Any] | None = None,
) -> Response:
    title = HTTPStatus(status).phrase
    if wants_json():
        problem: dict[str, Any] = {
            **(details or {}),
            "type": f"urn:caravan:{rule}" if rule else "about:blank",
            "title": title,
            "status": status,
            "detail": message,
            "request_id": g.request_id,
        }
        if rule:
            problem["rule"] = rule
        if fields:
            problem["errors"] = fields
        response = jsonify(problem)
        response.content_type = "application/problem+json"
    else:
        page = ErrorPage(status, _(title), message, g.request_id)
        response = current_app.make_response(render_template("errors/error.html", page=page))
    response.status_code = status
    return response


def _on_expected(error: CaravanError) -> Response:
    response = _answer(
        status_of(error),
        error.message,
        rule=error.rule,
        fields=error.fields,
        details=error.details,
    )
    if isinstance(error, Limited):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, NotSignedIn):
        response.headers["WWW-Authenticate"] = 'Bearer realm="Caravan"'
    return response


HTTP_MESSAGES = {
    404: noted("There is no page at this address. It may have moved, or the link is broken."),
    405: noted("This address does not accept that kind of request."),
    413: noted("That is larger than this store accepts."),
}


def _on_http(error: HTTPException) -> Response:
    if error.response is not None:
        return current_app.make_response(error.response)
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        # What breaks after the view, such as the commit, reaches us wrapped by Flask.
        return _on_unexpected(error.original_exception)
    status = error.code or 500
    message = HTTP_MESSAGES.get(status, error.description or HTTPStatus(status).phrase)
    response = _answer(status, _(message))
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _on_unexpected(error: Exception) -> Response:
    if isinstance(error, CaravanError):
        return _on_expected(error)
    if is_disk_full(error):
        log.error("disk.full", request_id=g.request_id, exc_info=error)
        message = _("The store's disk is full, so nothing was saved. Please tell its operator.")
        return _answer(503, message, rule="disk.full")
    if isinstance(error, DataError):
        # PostgreSQL keeps no NUL in a text and no number above its column's; forms let none in.
        log.warning("request.cannot_be_kept", request_id=g.request_id, path=request.path)
        message = _("There is a sign or a number in it that cannot be kept. Write it differently.")
        return _answer(422, message, rule="database.value")
    if isinstance(error, OperationalError):
        log.error("database.failed", request_id=g.request_id, exc_info=error)
        message = _("The database did not answer, so nothing was saved. Please try again.")
        return _answer(503, message, rule="database")
    log.error("request.failed", request_id=g.request_id, path=request.path, exc_info=error)
    message = _("Something went wrong on our side. Nothing was saved; please try again.")
    return _answer(500, message)


def _begin() -> None:
    g.request_id = new_id().hex[-12:]
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def install(app: Flask) -> None:
    """Give the app its session per request and its table of errors. Runs first of all."""
    app.before_request(_begin)
    app.after_request(_settle)
    app.teardown_request(_close)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(Exception, _on_unexpected)
    app.context_processor(lambda: {"actor": actor()})
