"""Web requests of one run's app: counted, and sent by the store's egress alone."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from marketplace.infra.egress import Egress, Request
from marketplace.runs.grants import Grant
from marketplace.sandbox.ports import Refused


class Web:
    """The `http.fetch` operation of one run."""

    def __init__(self, grant: Grant, egress: Egress) -> None:
        self._grant = grant
        self._egress = egress
        self.requests = 0
        self.operations: dict[str, Callable[[dict[str, Any]], Any]] = {"http.fetch": self._fetch}

    def _fetch(self, payload: dict[str, Any]) -> dict[str, Any]:
        answer = self._egress.fetch(
            _read(payload),
            allow=self._grant.hosts,
            secrets=self._grant.secrets,
            spend=self._spend,
        )
        return {
            "status": answer.status,
            "headers": dict(answer.headers),
            "body_base64": base64.b64encode(answer.body).decode(),
        }

    def _spend(self) -> None:
        if self.requests >= self._grant.egress_requests:
            raise Refused(
                "limit.egress_requests",
                f"The run has made its {self._grant.egress_requests} web requests.",
            )
        self.requests += 1


def _read(payload: dict[str, Any]) -> Request:
    headers = payload.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(each, str) for each in headers.values()):
        raise Refused("http.header", "headers is an object of texts.")
    try:
        body = base64.b64decode(payload.get("body_base64") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refused("http.body", "body_base64 is the body in base64.") from None
    return Request(
        str(payload.get("method") or "GET").upper(), str(payload.get("url", "")), headers, body
    )
