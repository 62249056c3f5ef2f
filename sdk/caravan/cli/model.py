"""`caravan.native` with a real model: a store's, or any server that speaks the OpenAI dialect."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from caravan import native
from caravan.errors import HostError

TIMEOUT_S = 120


@dataclass(frozen=True)
class Upstream:
    """The server's address and, where it wants one, a token."""

    url: str
    token: str | None

    def answer(self, payload: dict[str, Any]) -> Iterator[str]:
        """The pieces of one generation. Raises: HostError."""
        asked = {key: value for key, value in payload.items() if key != "json_schema"}
        if schema := payload.get("json_schema"):
            wanted = {"name": "answer", "schema": schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": wanted}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"model": "default", "stream": True, **asked}
        try:
            with httpx.stream(
                "POST",
                f"{self.url}/v1/chat/completions",
                json=body,
                headers=headers,
                timeout=TIMEOUT_S,
            ) as response:
                if not response.is_success:
                    raise HostError(
                        "llm.upstream",
                        f"{self.url} offers no model here (status {response.status_code}). "
                        "Leave --store out to go on with the pretended one.",
                    )
                yield from _pieces(response.iter_lines())
        except httpx.HTTPError as error:
            raise HostError("llm.upstream", f"{self.url} does not answer: {error}.") from None


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        for choice in json.loads(data).get("choices", []):
            if text := choice.get("delta", {}).get("content"):
                yield text


if __name__ == "__main__":
    native.main(lambda job: Upstream(job["store"], job["token"]).answer)
