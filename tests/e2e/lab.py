"""A store for experiments: its operator, the apps they publish, and streams one can hold."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from caravan.bundle import build

from tests.e2e.api import Person, write_app
from tests.e2e.store import Store

OPERATOR = ("lab@example.org", "a quiet caravan at dusk")
PATIENCE_S = 60
QUIET_S = 0.5
TOKEN = re.compile(r'class="code-block".*?<code>\s*(\S+)\s*</code>', re.DOTALL)


def until(what: Callable[[], bool], within_s: float = PATIENCE_S) -> float:
    """Ask again and again until it is so. Returns: after how many seconds that was."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < within_s, "It never became so."
        time.sleep(0.05)
    return time.monotonic() - began


@dataclass
class Lab:
    """A running store, its operator, and their API token."""

    store: Store
    operator: Person
    token: str
    # One for all: each client of its own would read the system's certificates first.
    client: httpx.Client = field(default_factory=partial(httpx.Client, timeout=30))

    @classmethod
    def open(cls, folder: Path, **environment: str) -> "Lab":
        """Start a store and make its operator."""
        store = Store(folder, extra_environment=environment).start()
        lab = cls(store, Person(store.url), "")
        try:
            lab.token = lab.operator_token()
        except BaseException:
            lab.close()
            raise
        return lab

    def operator_token(self) -> str:
        """Make the operator with the one-time link, and a token of theirs."""
        email, password = OPERATOR
        link = self.store.setup_link.removeprefix(self.store.url)
        answer = self.operator.post(link, link, name="Amal", email=email, password=password)
        assert answer.status_code == 200, answer.text
        self.operator.post("/portal/become-developer", "/accounts/settings")
        page = self.operator.post("/portal/tokens", "/portal/tokens", name="Lab").text
        found = TOKEN.search(page)
        assert found, page
        return found[1]

    def person(self) -> Person:
        """Somebody new."""
        return Person(self.store.url).sign_up()

    def upload(self, data: bytes, token: str | None = None) -> httpx.Response:
        """What the API says to a bundle."""
        return self.client.post(
            f"{self.store.url}/api/v1/releases",
            files={"bundle": ("app.caravan", data)},
            headers={"Authorization": f"Bearer {token or self.token}"},
        )

    def asked(self, url: str) -> httpx.Response:
        """What the API answers the operator's token."""
        return self.client.get(url, headers={"Authorization": f"Bearer {self.token}"})

    def state_of(self, release: str) -> str:
        """How far a release is."""
        answer = self.asked(f"{self.store.url}/api/v1/releases/{release}")
        found: dict[str, Any] = answer.json()
        assert found["state"] != "rejected", found
        return str(found["state"])

    def publish(self, folder: Path, ident: str, body: str, **given: Any) -> str:
        """Put a small app into the store, and wait until it is there. Returns: its ident.

        Args:
            given: `permissions`, and numbers of `[limits]`.
        """
        place = write_app(folder / ident, ident, body, permissions=given.pop("permissions", ()))
        manifest = place / "caravan.toml"
        text, _, rest = manifest.read_text().partition("wall_s = 60\ncpu_ms = 20000\n")
        limits = {"wall_s": 60, "cpu_ms": 20000, **given}
        lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
        manifest.write_text(text + lines + rest)
        answer = self.upload(build(place))
        assert answer.status_code == 201, answer.text
        release = answer.json()["release"]
        until(lambda: self.state_of(release) == "published")
        return ident

    def waits(self, run: str) -> bool:
        """Whether nothing comes out of a run for a while."""
        log = self.store.data_dir / "runs" / f"{run.rpartition('/')[2]}.jsonl"
        return time.time() - log.stat().st_mtime > QUIET_S

    def close(self) -> None:
        """Close the store."""
        self.operator.close()
        self.client.close()
        assert self.store.stop() == 0


def follow(person: Person, run: str, *, after: int = 0) -> Iterator[tuple[int, str, Any]]:
    """The events of a run as they come: id, name and data."""
    number, name = 0, ""
    asked = {"Last-Event-ID": str(after)}
    with person.client.stream("GET", f"{run}/events", headers=asked) as stream:
        for line in stream.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                number = int(value)
            elif field == "event":
                name = value
            elif field == "data":
                yield number, name, json.loads(value)


def first(events: Iterator[tuple[int, str, Any]], name: str) -> Any:
    """The data of the next event with this name."""
    return next(data for _, found, data in events if found == name)


def ending(events: Iterator[tuple[int, str, Any]]) -> tuple[str, str, str]:
    """How a run ends: its state, the sentence where it failed, and its receipt."""
    state = sentence = receipt = ""
    for _, name, data in events:
        if name == "failed":
            sentence = data["message"]
        elif name == "receipt":
            receipt = data["html"]
        elif name == "done":
            state = data["state"]
    return state, sentence, receipt
