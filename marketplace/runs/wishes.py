"""What a release needs of the model, and whether this store's models can give it."""

from collections.abc import Mapping
from typing import Any

from marketplace.inference import choice
from marketplace.inference.choice import Unmet
from marketplace.inference.ports import EngineStatus, ModelUnavailable, Wants
from marketplace.web.i18n import format_number
from marketplace.web.i18n import gettext as _


def wants_of(manifest: Mapping[str, Any]) -> Wants:
    """What a release's `[model]` asks for; nothing where it may not use the model."""
    if not any(entry["name"] == "llm.generate" for entry in manifest["permission"]):
        return Wants()
    asked = manifest["model"]
    return Wants(
        context=asked.get("context", 0),
        vision=asked.get("vision", False),
        # An adapter is made for the store's model, so no other one can carry it.
        small=asked.get("small", False) and not asked.get("adapter"),
    )


def unmet(manifest: Mapping[str, Any], status: EngineStatus) -> str | None:
    """Why no model of this store can answer a release, in the reader's language, or None.

    An engine that does not list its models is not doubted.
    """
    able = [model for model in status.models if model.answers]
    found = choice.for_answer(wants_of(manifest), able) if able else None
    if not isinstance(found, Unmet):
        return None
    if found.wish == "vision":
        return _(
            "This app needs a model that sees pictures, and this store has none. "
            "Its operator can add one."
        )
    return _(
        "This app needs a model that holds %(needed)s tokens, and the largest of this store "
        "holds %(largest)s. Its operator can add a larger one.",
        needed=format_number(found.needed),
        largest=format_number(found.largest),
    )


def check(manifest: Mapping[str, Any], status: EngineStatus) -> None:
    """Raises: ModelUnavailable where `unmet` has a reason."""
    if sentence := unmet(manifest, status):
        raise ModelUnavailable(sentence, rule="llm.wants")
