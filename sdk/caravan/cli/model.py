"""`caravan.native` with a store's model in place of the pretended one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from caravan import native
from caravan.cli.store import store_of
from caravan.errors import HostError

TIMEOUT_S = 120


@dataclass(frozen=True)
class Upstream:
    """A store's address and a developer's token for it."""

    url: str
    token: str

    def answer(self, payload: dict[str, Any]) -> Iterator[str]:
        """The pieces of one generation. Raises: HostError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        where = f"{self.url}/api/v1/model"
        try:
            with httpx.stream(
                "POST", where, json=payload, headers=headers, timeout=TIMEOUT_S
            ) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(self.url, response)
                yield from _pieces(response.iter_lines())
        except httpx.HTTPError as error:
            raise HostError("llm.unreachable", f"{self.url} does not answer: {error}.") from None


def upstream_of(store: str | None, token: str | None) -> Upstream:
    """The store that was given, else the one kept by `caravan login`. Raises: Failure."""
    found = store_of(store, token)
    return Upstream(found.url, found.token)


def _refusal(url: str, response: httpx.Response) -> HostError:
    """What a store says in problem+json; anything else is no store of ours."""
    try:
        problem = response.json()
        code, message = str(problem["rule"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code = "llm.upstream"
        message = (
            f"{url} offers no model to this token (status {response.status_code}). "
            "Leave --store out to go on with the pretended one."
        )
    return HostError(code, message)


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = json.loads(value)
            if name == "piece":
                yield data["text"]
            elif name == "refused":
                raise HostError(str(data["code"]), str(data["message"]))


if __name__ == "__main__":
    native.main(lambda job: Upstream(job["store"], job["token"]).answer)
