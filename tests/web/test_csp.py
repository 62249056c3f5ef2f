"""Security headers: on every answer, with a nonce that is never the same twice."""

import re

from flask import Flask, Response, render_template_string
from flask.testing import FlaskClient

NONCE = re.compile(r"'nonce-([\w-]{22})'")


def test_each_answer_has_its_own_nonce_and_pages_know_it(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/", "page", lambda: render_template_string("{{ csp_nonce() }}"))
    answers = [client.get("/") for _ in range(3)]
    nonces = [NONCE.findall(a.headers["Content-Security-Policy"])[0] for a in answers]
    assert [a.text for a in answers] == nonces
    assert len(set(nonces)) == 3


def test_nothing_runs_that_is_not_ours(app: Flask, client: FlaskClient) -> None:
    policy = client.get("/nothing").headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert rules["form-action"] == "'self'"
    assert "unsafe" not in policy
    assert "*" not in policy


def test_an_answer_may_set_a_stricter_policy_of_its_own(app: Flask, client: FlaskClient) -> None:
    policy = "default-src 'none'; sandbox"

    def icon() -> Response:
        return Response("<svg/>", headers={"Content-Security-Policy": policy})

    app.add_url_rule("/icon", "icon", icon)
    answer = client.get("/icon")
    assert answer.headers["Content-Security-Policy"] == policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_https_is_remembered_only_where_there_is_https(app: Flask, client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/nothing").headers
    app.config["SECURE_COOKIES"] = True
    assert "Strict-Transport-Security" in client.get("/nothing").headers
