"""The registry knows its models and which one is served."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketplace.inference.additions import add
from marketplace.inference.registry import (
    DEMO,
    NoSuchModel,
    Registry,
    RegistryBroken,
    StoredModel,
)
from tests.inference.tiny_models import write_alphabet

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path, alphabet: Path) -> Registry:
    return Registry(tmp_path / "models", alphabet)


def add_small(registry: Registry, folder: Path) -> StoredModel:
    path = write_alphabet(folder / "small.gguf")
    return add(registry, str(path), now=NOON, accept=lambda _: True)


def test_a_new_store_serves_its_built_in_model(registry: Registry, alphabet: Path) -> None:
    assert [model.name for model in registry.models()] == [DEMO]
    assert registry.chosen_file() == alphabet


def test_without_any_model_nothing_is_chosen(tmp_path: Path) -> None:
    registry = Registry(tmp_path, tmp_path / "missing.gguf")
    assert (registry.models(), registry.chosen(), registry.chosen_file()) == ((), None, None)


def test_two_models_of_one_name_get_two_names(registry: Registry, tmp_path: Path) -> None:
    assert [add_small(registry, tmp_path).name for _ in range(3)] == [
        "small",
        "small-2",
        "small-3",
    ]


def test_a_model_is_chosen_and_the_built_in_one_again(
    registry: Registry, tmp_path: Path, alphabet: Path
) -> None:
    name = add_small(registry, tmp_path).name
    assert registry.chosen_file() == alphabet
    registry.use(name)
    assert registry.chosen_file() == tmp_path / "models" / f"{name}.gguf"
    registry.use(DEMO)
    assert registry.chosen_file() == alphabet


def test_roles_are_given_moved_and_taken_away(registry: Registry, tmp_path: Path) -> None:
    first, second = add_small(registry, tmp_path).name, add_small(registry, tmp_path).name
    before = registry.stamp()
    registry.use(first, "small")
    registry.use(second, "embed")
    assert registry.stamp() != before
    assert registry.roles() == {"default": DEMO, "small": first, "embed": second}
    registry.use(second, "small")
    registry.use(second)
    assert registry.roles() == {"default": second, "small": second, "embed": second}
    registry.clear("embed")
    registry.clear("vision")
    registry.clear("default")
    assert registry.roles() == {"default": DEMO, "small": second}


def test_a_model_that_is_not_there_cannot_be_chosen(registry: Registry) -> None:
    with pytest.raises(NoSuchModel, match="There are: caravan-demo"):
        registry.use("gpt")


def test_a_registry_that_cannot_be_read_says_so(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "registry.json").write_text('{"models": 7}')
    with pytest.raises(RegistryBroken, match="cannot be read"):
        registry.models()
