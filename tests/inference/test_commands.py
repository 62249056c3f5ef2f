"""`marketplace models` as an operator types it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from marketplace.inference.commands import models
from tests.inference.tiny_models import write_alphabet


@pytest.fixture
def folders(tmp_path: Path, alphabet: Path) -> SimpleNamespace:
    return SimpleNamespace(data_dir=tmp_path / "data", demo_model=alphabet)


@pytest.fixture
def licensed(tmp_path: Path) -> str:
    return str(write_alphabet(tmp_path / "small.gguf", licence="llama3.2"))


def run(folders: SimpleNamespace, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(models, words, obj=folders, input=typed)


def test_a_new_store_lists_its_built_in_model_as_chosen(folders: SimpleNamespace) -> None:
    assert run(folders, "list").stdout.startswith("* caravan-demo  Caravan demo  0.4 MiB")


def test_a_store_without_models_says_how_to_add_one(tmp_path: Path) -> None:
    folders = SimpleNamespace(data_dir=tmp_path, demo_model=tmp_path / "missing.gguf")
    assert "Add one with `marketplace models add`" in run(folders, "list").stdout


def test_adding_shows_the_licence_asks_and_chooses(folders: SimpleNamespace, licensed: str) -> None:
    result = run(folders, "add", licensed, typed="y\n")
    assert result.exit_code == 0, result.output
    assert "small.gguf comes under the licence llama3.2." in result.stdout
    assert "Added small (Alphabet, 0.4 MiB)." in result.stdout
    assert "* small  Alphabet" in run(folders, "list").stdout


def test_a_declined_licence_adds_nothing(folders: SimpleNamespace, licensed: str) -> None:
    result = run(folders, "add", licensed, typed="n\n")
    assert result.exit_code == 1
    assert "was not accepted" in result.stderr
    assert "small" not in run(folders, "list").stdout


def test_a_licence_may_be_accepted_beforehand_and_the_choice_left(
    folders: SimpleNamespace, licensed: str
) -> None:
    assert run(folders, "add", licensed, "--accept-licence", "--no-use").exit_code == 0
    assert "* caravan-demo" in run(folders, "list").stdout
    assert "small has the role default" in run(folders, "use", "small").stdout
    assert "* small" in run(folders, "list").stdout


def test_errors_are_one_sentence_without_a_traceback(folders: SimpleNamespace) -> None:
    for words in (("add", "/no/such.gguf"), ("use", "nothing"), ("add", "hf:x")):
        result = run(folders, *words)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")


def test_roles_are_given_listed_and_taken_away(folders: SimpleNamespace, licensed: str) -> None:
    assert run(folders, "add", licensed, "--accept-licence", "--no-use").exit_code == 0
    assert "MiB  unused" in run(folders, "list").stdout
    assert "small has the role embed" in run(folders, "use", "small", "--role", "embed").stdout
    assert "MiB  embed" in run(folders, "list").stdout
    assert "Nobody is embed now." in run(folders, "clear", "embed").stdout
    assert "The role default is caravan-demo's" in run(folders, "clear", "default").stdout
    assert run(folders, "use", "small", "--role", "king").exit_code == 2
