"""A model is added with its projector, has the role of one that sees, and sees in the engine."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from marketplace.inference.additions import add
from marketplace.inference.client import EngineClient
from marketplace.inference.commands import models
from marketplace.inference.gguf_file import NotAModel, read_facts
from marketplace.inference.ports import Message, Wants
from marketplace.inference.registry import DEMO, NoProjector, Registry
from marketplace.inference.shelf import RegistryShelf
from marketplace.kernel.errors import Invalid
from tests.inference.conftest import require_llama, type_start
from tests.inference.engines import end_of, make_generation, text_of
from tests.inference.tiny_models import write_noise
from tests.inference.tiny_projectors import make_picture, write_projector

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def folders(tmp_path: Path, alphabet: Path) -> SimpleNamespace:
    return SimpleNamespace(data_dir=tmp_path / "data", demo_model=alphabet)


@pytest.fixture
def registry(folders: SimpleNamespace) -> Registry:
    return Registry(folders.data_dir / "models", folders.demo_model)


@pytest.fixture
def projector(tmp_path: Path) -> Path:
    return write_projector(tmp_path / "mmproj-noise.gguf")


def run(folders: SimpleNamespace, *words: object) -> Result:
    return CliRunner().invoke(models, [str(word) for word in words], obj=folders)


def test_a_model_is_added_with_its_projector_and_sees(
    folders: SimpleNamespace, registry: Registry, noise: Path, projector: Path
) -> None:
    result = run(folders, "add", noise, "--projector", projector)
    assert result.exit_code == 0, result.output
    assert "It sees pictures for the apps that need it." in result.stdout
    assert registry.roles() == {"default": "noise", "vision": "noise"}
    [file] = RegistryShelf(registry)()
    assert file.projector == registry.folder / "noise.mmproj.gguf"
    assert file.projector.read_bytes() == projector.read_bytes()
    seeing = read_facts(file.path, file.projector).sizes.weight_bytes
    assert seeing == read_facts(file.path).sizes.weight_bytes + projector.stat().st_size


def test_a_model_without_a_projector_does_not_get_the_role(
    folders: SimpleNamespace, registry: Registry
) -> None:
    with pytest.raises(NoProjector, match="--projector"):
        registry.use(DEMO, "vision")
    result = run(folders, "use", DEMO, "--role", "vision")
    assert result.exit_code == 1
    assert "has no projector, so it cannot see pictures" in result.stderr


def test_a_file_that_is_no_projector_leaves_nothing_behind(registry: Registry, noise: Path) -> None:
    with pytest.raises(NotAModel, match=r"noise\.gguf is no projector for pictures"):
        add(registry, str(noise), now=NOON, accept=lambda _: True, projector=str(noise))
    assert [model.name for model in registry.models()] == [DEMO]
    assert list(registry.folder.glob("*.part")) == []


def test_a_model_that_counts_places_in_rows_and_columns_is_refused(
    registry: Registry, tmp_path: Path, projector: Path
) -> None:
    flat = write_noise(tmp_path / "wide.gguf", sections=True)
    with pytest.raises(NotAModel, match="M-RoPE"):
        add(registry, str(flat), now=NOON, accept=lambda _: True, projector=str(projector))


def test_an_app_that_wants_eyes_is_answered_by_the_model_that_has_them(
    start: type_start, folders: SimpleNamespace, noise: Path, projector: Path
) -> None:
    require_llama()
    assert run(folders, "add", noise, "--projector", projector, "--no-use").exit_code == 0
    assert run(folders, "use", "noise", "--role", "vision").exit_code == 0
    engine = start(
        "--data-dir",
        folders.data_dir,
        "--demo-model",
        folders.demo_model,
        "--settings",
        '{"context": 256, "max_sequences": 1, "kept_prompts": 0}',
    )
    client = EngineClient(engine.socket, patience_s=20)
    asked = {"messages": (Message("user", "see", (make_picture(1),)),)}
    seen = list(client.generate(make_generation(wants=Wants(vision=True), **asked)))
    assert (end_of(seen).model, bool(text_of(seen))) == ("Noise", True)
    with pytest.raises(Invalid, match="The model Alphabet cannot see pictures"):
        list(client.generate(make_generation(**asked)))
    crowd = tuple(Message("user", "see", (make_picture(1),)) for _ in range(9))
    with pytest.raises(Invalid, match="has 9 pictures, and a model is shown 8 at most"):
        list(client.generate(make_generation(messages=crowd)))
    client.close()
