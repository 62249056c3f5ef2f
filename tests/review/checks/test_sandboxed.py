"""What the sandbox says of an app, as findings."""

from collections.abc import Mapping
from typing import Any

import pytest
from caravan.bundle import Bundle

from marketplace.review.checks import sandboxed
from marketplace.sandbox.fake import FakeSandbox
from marketplace.sandbox.ports import AppRefused, Limits, RunError
from marketplace.sandbox.settings import SandboxSettings
from tests.factories.components import make_component
from tests.factories.sandbox import shared_runners
from tests.sdk.bundles import MANIFEST, make_bundle

SETTINGS = SandboxSettings()


class Refusing(FakeSandbox):
    """A sandbox that refuses every app for one reason."""

    def __init__(self, rule: str) -> None:
        self.rule = rule

    def describe(self, code: Mapping[str, bytes], entry: str, *, limits: Limits) -> dict[str, Any]:
        raise AppRefused(RunError(self.rule, "It did not go well.", "Traceback…\nBoom: here"))


def test_a_sound_app_is_compiled_and_described() -> None:
    prepared = sandboxed.prepare(make_bundle({"data/words.txt": "salam"}), FakeSandbox(), SETTINGS)
    assert [finding.level for finding in prepared.findings] == ["pass"]
    assert [action["name"] for action in prepared.actions["actions"]] == ["echo"]
    assert set(prepared.files) == {"app.py", "app.pyc", "data/words.txt"}


@pytest.mark.parametrize(
    ("source", "rule", "word"),
    [
        ("from caravan import App\napp = App()\n1 / 0\n", "app.error", "ZeroDivisionError"),
        ("def broken(:\n    pass\n", "app.syntax", "line 1"),
        ("from caravan import App\napp = App()\n", "sandbox.actions", "no action"),
    ],
)
def test_an_app_that_does_not_start_is_an_error(source: str, rule: str, word: str) -> None:
    prepared = sandboxed.prepare(make_bundle({"app.py": source}), FakeSandbox(), SETTINGS)
    [finding] = prepared.findings
    assert (finding.rule, finding.level) == (rule, "error")
    assert word in finding.message
    assert prepared.actions == {}


@pytest.mark.parametrize("rule", ["limit.wall", "limit.cpu", "limit.memory", "sandbox.crashed"])
def test_an_app_that_takes_too_much_is_an_error(rule: str) -> None:
    [finding] = sandboxed.prepare(make_bundle(), Refusing(rule), SETTINGS).findings
    assert (finding.rule, finding.level) == (rule, "error")
    assert finding.message == "It did not go well. Boom: here"


@pytest.mark.parametrize("rule", sorted(sandboxed.NOT_THE_APPS_FAULT))
def test_a_sandbox_that_is_away_is_nobodys_fault(rule: str) -> None:
    with pytest.raises(sandboxed.SandboxAway):
        sandboxed.prepare(make_bundle(), Refusing(rule), SETTINGS)


def component_bundle(**given: str) -> Bundle:
    manifest = MANIFEST.replace('kind = "python"\nentry = "app"', 'kind = "component"')
    files = {"caravan.toml": manifest, "component.wasm": make_component(**given)}
    return make_bundle({**files, "data/words.txt": "salam"})


def test_a_component_is_compiled_in_the_real_sandbox_and_describes_itself() -> None:
    prepared = sandboxed.prepare(component_bundle(), shared_runners(), SETTINGS)
    assert [finding.level for finding in prepared.findings] == ["pass"]
    assert [action["name"] for action in prepared.actions["actions"]] == ["go"]
    assert set(prepared.files) == {"component.wasm", "component.sha256"}


def test_a_component_that_traps_when_it_is_asked_is_an_error() -> None:
    bundle = component_bundle(describe="(unreachable)")
    [finding] = sandboxed.prepare(bundle, shared_runners(), SETTINGS).findings
    assert (finding.rule, finding.level) == ("sandbox.crashed", "error")
