"""People and programs that use the store without a browser."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.people import PASSWORD, fresh_email

CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')
ALLOW = re.compile(r'name="-allow" value="([^"]*)"')
RUN = re.compile(r"/runs/([0-9a-f-]{36})")


@dataclass
class Person:
    """One signed-in person with a cookie jar of their own."""

    url: str
    client: httpx.Client = field(init=False)
    _csrf_token: str = ""

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30, follow_redirects=True)

    @property
    def csrf_token(self) -> str:
        """The token of this person's forms, read once from a page that has one."""
        if not self._csrf_token:
            found = CSRF.search(self.client.get("/accounts/settings").text)
            assert found, "The settings have no form."
            self._csrf_token = found[1]
        return self._csrf_token

    def post(self, path: str, form_page: str, **values: str) -> httpx.Response:
        """Send a form with the token of the page it stands on."""
        found = CSRF.search(self.client.get(form_page).text)
        assert found, f"{form_page} has no form"
        return self.client.post(path, data={"csrf_token": found[1], **values})

    def sign_up(self) -> "Person":
        answer = self.post(
            "/accounts/sign-up",
            "/accounts/sign-up",
            name="Noor",
            email=fresh_email(),
            password=PASSWORD,
        )
        assert answer.status_code == 200, answer.text
        return self

    def start(self, ident: str, action: str, **values: str) -> str:
        """Run an app. Returns: the run's path."""
        return self.press(ident, self.hidden(ident) | {"-action": action} | values)

    def hidden(self, ident: str) -> dict[str, str]:
        """What an app's form sends besides what a person fills in."""
        page = self.client.get(f"/apps/{ident}").text
        token, asked = CSRF.search(page), ALLOW.search(page)
        assert token, page
        return {"csrf_token": token[1], "-allow": asked[1] if asked else ""}

    def press(self, ident: str, fields: dict[str, str]) -> str:
        """Send an app's form that is filled in. Returns: the run's path."""
        answer = self.client.post(f"/apps/{ident}/runs", data=fields)
        assert answer.status_code == 200, answer.text
        found = RUN.search(str(answer.url))
        assert found, answer.url
        return f"/runs/{found[1]}"

    def events(self, run: str) -> list[tuple[str, str]]:
        """Every event of a run until its end: name and data."""
        seen: list[tuple[str, str]] = []
        name = ""
        with self.client.stream("GET", f"{run}/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    seen.append((name, line.removeprefix("data: ")))
        return seen

    def close(self) -> None:
        self.client.close()


def write_app(folder: Path, ident: str, body: str, *, permissions: tuple[str, ...] = ()) -> Path:
    """A small app's folder, ready for `caravan publish`."""
    folder.mkdir(parents=True)
    manifest = f"""
[app]
id = "{ident}"
name = "{ident.rpartition(".")[2].capitalize()}"
version = "1.0.0"
summary = "An app for the tests."
description = "It does one thing, so that a test can look."
categories = ["developer"]
licence = "Apache-2.0"
age = 3
icon = "assets/icon.svg"

[runtime]
kind = "python"
entry = "app"
api = "1"

[model]
context = 512

[limits]
wall_s = 60
cpu_ms = 20000
"""
    for name in permissions:
        manifest += f'\n[[permission]]\nname = "{name}"\nreason = "The test needs it."\n'
    (folder / "caravan.toml").write_text(manifest)
    (folder / "app.py").write_text(body)
    (folder / "assets").mkdir()
    (folder / "assets" / "icon.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">'
        '<rect width="128" height="128" rx="28" fill="#c2613c"/></svg>'
    )
    return folder
