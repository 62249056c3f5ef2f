"""Models are fetched, checked and licensed; a failure leaves nothing behind."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import huggingface_hub
import pytest

from marketplace.inference import additions
from marketplace.inference.additions import Licence, LicenceDeclined
from marketplace.inference.downloads import BadAddress, NoSuchFile, WrongContent
from marketplace.inference.gguf_file import NotAModel
from marketplace.inference.registry import (
    DEMO,
    Registry,
    StoredModel,
)
from tests.inference.file_server import FileServer
from tests.inference.tiny_models import write_alphabet

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path, alphabet: Path) -> Registry:
    return Registry(tmp_path / "models", alphabet)


@pytest.fixture
def licensed(tmp_path: Path) -> Path:
    return write_alphabet(tmp_path / "Llama 3.2 (1B).gguf", licence="llama3.2")


@pytest.fixture
def server(licensed: Path) -> Iterator[FileServer]:
    server = FileServer({"/some/model-Q8_0.gguf": licensed.read_bytes()})
    yield server
    server.close()


def add(registry: Registry, source: str | Path, **given: Any) -> StoredModel:
    return additions.add(registry, str(source), now=NOON, **{"accept": lambda _: True, **given})


def test_a_local_model_is_added_with_what_it_says_of_itself(
    registry: Registry, licensed: Path, tmp_path: Path
) -> None:
    asked: list[Licence] = []
    model = add(registry, licensed, accept=lambda licence: asked.append(licence) or True)
    assert (model.name, model.title, model.architecture) == ("llama-3.2-1b", "Alphabet", "llama")
    assert model.sha256 == hashlib.sha256(licensed.read_bytes()).hexdigest()
    assert (model.licence, model.licence_accepted_at) == ("llama3.2", NOON)
    assert asked == [Licence("Llama 3.2 (1B).gguf", "llama3.2", "")]
    assert Registry(tmp_path / "models", None).models() == (model,)
    assert licensed.exists()


def test_a_model_without_a_licence_asks_for_none(registry: Registry, alphabet: Path) -> None:
    model = add(registry, alphabet, accept=lambda _: pytest.fail("asked"))
    assert (model.licence, model.licence_accepted_at) == ("", None)


def test_a_model_from_another_disk_is_copied(
    registry: Registry, licensed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_disk(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", other_disk)
    assert add(registry, licensed).size_bytes == licensed.stat().st_size


def test_a_model_is_fetched_over_the_network(registry: Registry, server: FileServer) -> None:
    seen: list[tuple[int, int | None]] = []
    model = add(
        registry,
        f"{server.address}/some/model-Q8_0.gguf",
        progress=lambda *done: seen.append(done),
    )
    assert model.name == "model-q8-0"
    assert seen[-1] == (model.size_bytes, model.size_bytes)


def test_a_model_of_the_hub_brings_the_licence_of_its_card(
    registry: Registry, tmp_path: Path, alphabet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FileServer({"/owner/repo/sub/m.gguf": alphabet.read_bytes()})

    def model_info(_api: object, repo: str) -> Any:
        assert repo == "owner/repo"
        return SimpleNamespace(card_data={"license": "apache-2.0"})

    def url(repo: str, file: str) -> str:
        return f"{server.address}/{repo}/{file}"

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", url)
    try:
        model = add(registry, "hf:owner/repo/sub/m.gguf")
    finally:
        server.close()
    assert (model.name, model.licence, model.source) == (
        "m",
        "apache-2.0",
        "hf:owner/repo/sub/m.gguf",
    )


@pytest.mark.parametrize("error", [ConnectionError, httpx.ConnectError])
def test_a_repository_the_hub_does_not_show_is_told(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def offline(_api: object, _repo: str) -> Any:
        raise error("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", offline)
    with pytest.raises(NoSuchFile, match="no information on owner/repo: no network"):
        add(registry, "hf:owner/repo/m.gguf")


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        ("hf:owner/repo", BadAddress, "hf:owner/repository/file.gguf"),
        ("http://example.com/m.gguf", BadAddress, "https alone"),
        ("/no/such.gguf", NoSuchFile, "no file /no/such.gguf"),
        (__file__, NotAModel, "not a GGUF file"),
    ],
)
def test_a_source_that_is_no_model_leaves_nothing_behind(
    registry: Registry, tmp_path: Path, source: str, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        add(registry, source)
    assert [model.name for model in registry.models()] == [DEMO]
    assert list((tmp_path / "models").iterdir()) == []


def test_a_wrong_checksum_leaves_nothing_behind(
    registry: Registry, licensed: Path, tmp_path: Path
) -> None:
    with pytest.raises(WrongContent):
        add(registry, licensed, sha256="0" * 64)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_declined_licence_leaves_nothing_behind(
    registry: Registry, licensed: Path, tmp_path: Path
) -> None:
    with pytest.raises(LicenceDeclined, match=r"licence \(llama3.2\) was not accepted"):
        add(registry, licensed, accept=lambda _: False)
    assert list((tmp_path / "models").iterdir()) == []
