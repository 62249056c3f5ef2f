"""`http.fetch`: what an app gets of the web, and how often."""

import base64
from typing import Any

import pytest

from marketplace.infra.db import Database
from marketplace.infra.egress import Egress, EgressSettings, Request, Response, Secret
from marketplace.runs.web import Web
from marketplace.sandbox.ports import Refused
from tests.factories.runs import make_grant

HOSTS = frozenset({"example.org"})


class Sent(Egress):
    """An egress that remembers what it is asked to send; a GET is redirected once."""

    def __init__(self) -> None:
        super().__init__(EgressSettings())
        self.requests: list[Request] = []
        self.secrets: list[tuple[Secret, ...]] = []

    def fetch(self, request: Request, *, allow: Any, secrets: Any = (), **given: Any) -> Response:
        assert allow == HOSTS
        for _ in range(1 + (request.method == "GET")):
            given["spend"]()
        self.secrets.append(secrets)
        self.requests.append(request)
        return Response(200, {"x-a": "b"}, b"\x00hello")


def web_of(database: Database, **given: Any) -> tuple[Web, Sent]:
    egress = Sent()
    return Web(make_grant(database, hosts=HOSTS, **given), egress), egress


def test_an_app_gets_the_answer_as_it_came(empty_database: Database) -> None:
    web, egress = web_of(empty_database)
    asked = {
        "method": "post",
        "url": "https://example.org/",
        "headers": {"X-A": "1"},
        "body_base64": base64.b64encode(b"sent").decode(),
    }
    assert web.operations["http.fetch"](asked) == {
        "status": 200,
        "headers": {"x-a": "b"},
        "body_base64": base64.b64encode(b"\x00hello").decode(),
    }
    assert egress.requests == [Request("POST", "https://example.org/", {"X-A": "1"}, b"sent")]


def test_a_run_has_only_so_many_requests_redirects_counted(empty_database: Database) -> None:
    web, egress = web_of(empty_database, egress_requests=3)
    web.operations["http.fetch"]({"url": "https://example.org/"})
    with pytest.raises(Refused) as refused:
        web.operations["http.fetch"]({"url": "https://example.org/"})
    assert refused.value.code == "limit.egress_requests"
    assert (len(egress.requests), web.requests) == (1, 3)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"headers": ["a"]}, "http.header"),
        ({"headers": {"a": 1}}, "http.header"),
        ({"body_base64": "not base64"}, "http.body"),
        ({"body_base64": 7}, "http.body"),
    ],
)
def test_a_payload_that_makes_no_sense_is_refused(
    empty_database: Database, given: dict[str, Any], rule: str
) -> None:
    web, egress = web_of(empty_database)
    with pytest.raises(Refused) as refused:
        web.operations["http.fetch"]({"url": "https://example.org/", **given})
    assert refused.value.code == rule
    assert egress.requests == []


def test_the_persons_secrets_are_for_the_way_out(empty_database: Database) -> None:
    secret = Secret("{{secret:token}}", "hunter2", "Authorization", "example.org")
    web, egress = web_of(empty_database, secrets=(secret,))
    web.operations["http.fetch"]({"url": "https://example.org/"})
    assert egress.secrets == [(secret,)]
