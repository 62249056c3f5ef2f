"""Secret inputs of a run: sealed until it is over, and never written down in clear."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caravan import withheld

from marketplace.catalog.models import Release
from marketplace.infra.vault import CannotOpen, Vault
from marketplace.kernel.errors import Unavailable
from marketplace.runs.models import Run


class SecretLost(Unavailable):
    """The key with which the run's secret input was sealed has changed meanwhile."""


@dataclass(frozen=True)
class Input:
    """A run's whole input, and its secrets by path."""

    values: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)


def keep(run: Run, values: dict[str, Any], schema: Mapping[str, Any], vault: Vault) -> None:
    """Give a new run its input: with marks to be shown, and sealed where it has secrets."""
    run.input = withheld.masked(values, schema)
    if any(withheld.found(values, schema)):
        run.sealed_input = vault.seal(json.dumps(values), _place(run))


def opened(run: Run, release: Release, vault: Vault) -> Input:
    """What a run that is not over was given. Raises: SecretLost."""
    if run.sealed_input is None:
        return Input(run.input)
    try:
        values = json.loads(vault.open(run.sealed_input, _place(run)))
    except CannotOpen as error:
        message = "The store's key has changed since this run was started; please start it again."
        raise SecretLost(message) from error
    described = next(each for each in release.actions["actions"] if each["name"] == run.action)
    return Input(values, dict(withheld.found(values, described["input_schema"])))


def _place(run: Run) -> str:
    return f"input {run.id}"
