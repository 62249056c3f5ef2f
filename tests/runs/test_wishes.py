"""What a release asks of the model is held against the models there are, before it runs."""

from typing import Any

import pytest

from marketplace.inference.ports import EngineStatus, ModelUnavailable, ServedModel, Wants
from marketplace.runs import wishes

LARGE = ServedModel("large", "Large", ("default",), 4096)
EYES = ServedModel("eyes", "Eyes", ("vision",), 1024)
VECTORS = ServedModel("vectors", "Vectors", ("embed",), 512)


def manifest(*permissions: str, **asked: Any) -> dict[str, Any]:
    return {
        "permission": [{"name": name} for name in permissions or ("llm.generate",)],
        "model": {"context": 512, "vision": False, **asked},
    }


def status(*models: ServedModel) -> EngineStatus:
    return EngineStatus(ready=True, models=models)


def test_the_wishes_are_those_of_the_manifest() -> None:
    assert wishes.wants_of(manifest()) == Wants(context=512)
    assert wishes.wants_of(manifest(vision=True, small=True)) == Wants(512, vision=True, small=True)
    assert not wishes.wants_of(manifest(small=True, adapter="assets/a.gguf")).small
    # What does not use the model needs nothing of it.
    assert wishes.wants_of(manifest("kv.user", context=99_999)) == Wants()


@pytest.mark.parametrize(
    ("asked", "models", "sentence"),
    [
        ({}, (LARGE,), None),
        ({"vision": True}, (LARGE, EYES), None),
        ({"context": 99_999}, (), None),
        ({"context": 99_999}, (VECTORS,), None),
        ({"vision": True}, (LARGE,), "needs a model that sees pictures"),
        ({"context": 5000}, (LARGE, EYES), "holds 5,000 tokens, and the largest of this store"),
        ({"context": 5000}, (LARGE, EYES), "holds 4,096."),
    ],
)
def test_a_wish_nobody_meets_is_told(
    asked: dict[str, Any], models: tuple[ServedModel, ...], sentence: str | None
) -> None:
    told = wishes.unmet(manifest(**asked), status(*models))
    if sentence is None:
        assert told is None
        wishes.check(manifest(**asked), status(*models))
    else:
        assert sentence in (told or "")
        with pytest.raises(ModelUnavailable, match="needs a model"):
            wishes.check(manifest(**asked), status(*models))
