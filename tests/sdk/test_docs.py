"""The pages for developers: what they show works, and what is generated is current."""

import re
from pathlib import Path

from caravan.checks import check_folder
from caravan.cli.new import TEMPLATES, write
from caravan.reference import manifest_markdown

from tests.sdk.own_tests import run_own_tests

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```", re.DOTALL)


def test_the_manifests_page_is_current() -> None:
    page = (ROOT / "docs/manifest.md").read_text()
    assert page == manifest_markdown(), "Run: python -m caravan.reference > docs/manifest.md"


def test_every_key_of_the_manifest_is_explained() -> None:
    assert "None |" not in manifest_markdown()


def test_the_first_app_of_the_guide_passes_every_check_and_its_own_tests(tmp_path: Path) -> None:
    folder = tmp_path / "word-garden"
    write(TEMPLATES / "text", folder, {"ident": "amina.word-garden", "name": "Word garden"})
    guide = (ROOT / "docs/writing-an-app.md").read_text()
    blocks = dict(BLOCK.findall(guide))
    assert set(blocks) == {"app.py", "caravan.toml", "evals/first.toml", "tests/test_app.py"}
    manifest = (folder / "caravan.toml").read_text()
    blocks["caravan.toml"] = manifest[: manifest.index("[[permission]]")] + blocks["caravan.toml"]
    for path, text in blocks.items():
        (folder / path).write_text(text)
    findings = check_folder(folder)
    assert {each.level for each in findings} == {"pass"}, findings
    assert "2 passed" in run_own_tests(folder)
