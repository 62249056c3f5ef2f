"""Which model answers: from what an app needs and the models there are to one of them.

Pure: the engine decides with it, and the web process foretells with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketplace.inference.ports import BadGeneration, ModelUnavailable, ServedModel, Wants

DEFAULT, EMBED, VISION = "default", "embed", "vision"
ROLES = (DEFAULT, "small", EMBED, VISION)


@dataclass(frozen=True, slots=True)
class Unmet:
    """A wish no model meets: `vision`, or `context` with what was needed and what there is."""

    wish: str
    needed: int = 0
    largest: int = 0

    @property
    def sentence(self) -> str:
        """What a developer or operator may read."""
        if self.wish == "vision":
            return (
                "This app needs a model that sees pictures, and this store has none. Its operator "
                "can add one with `marketplace models add SOURCE --projector FILE`."
            )
        return (
            f"This app needs a model that holds {self.needed} tokens, and the largest of this "
            f"store holds {self.largest}. Its operator can add a larger one."
        )


def for_answer(wants: Wants, models: Sequence[ServedModel]) -> ServedModel | Unmet:
    """The model that answers an app: the first in the order of its wishes that meets them all.

    A model that sees is kept for those who show pictures, as long as the default will do.

    Raises: ModelUnavailable when there is no model at all.
    """
    able = [model for model in models if model.answers]
    if not able:
        raise ModelUnavailable(
            "The engine has no model. Add one with `marketplace models add`.", rule="llm.model"
        )
    if wants.vision:
        able = [model for model in able if model.sees]
        if not able:
            return Unmet("vision")
    order = ("small", DEFAULT, "vision") if wants.small else (DEFAULT, "vision", "small")
    for model in _in_order(able, order):
        # A file that cannot be read has no context; the engine then says what is wrong with it.
        if model.context >= wants.context or model.context == 0:
            return model
    return Unmet("context", wants.context, max(model.context for model in able))


def for_vectors(models: Sequence[ServedModel]) -> ServedModel:
    """The model that turns texts into vectors. Raises: ModelUnavailable when there is none."""
    for model in _in_order(models, (EMBED, DEFAULT)):
        return model
    raise ModelUnavailable(
        "The engine has no model. Add one with `marketplace models add`.", rule="llm.model"
    )


def by_name(name: str, models: Sequence[ServedModel]) -> ServedModel:
    """The model somebody asks for by name. Raises: BadGeneration with the names there are."""
    able = [model for model in models if model.answers]
    for model in able:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in able) or "none"
    raise BadGeneration(f"There is no model {name}. There are: {names}.", rule="llm.model")


def _in_order(models: Sequence[ServedModel], roles: Iterable[str]) -> Iterable[ServedModel]:
    for role in roles:
        yield from (model for model in models if role in model.roles)
