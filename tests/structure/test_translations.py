"""Every text of the store is there in every language it offers."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from marketplace.web.i18n import TRANSLATIONS, locales

ROOT = Path(__file__).parent.parent.parent
METHODS = [("**.py", "python"), ("templates/**.*", "jinja2.ext:babel_extract")]
OPTIONS = {"templates/**.*": {"encoding": "utf-8"}}
KEYWORDS = {"_": None, "ngettext": (1, 2), "gettext": None, "noted": None}


def messages() -> set[str]:
    """Every text that the code and the templates can show."""
    found = extract_from_dir(ROOT / "marketplace", METHODS, OPTIONS, KEYWORDS)
    return {m[0] if isinstance(m, tuple) else m for _, _, m, _, _ in found}


@pytest.mark.parametrize("locale", [name for name in locales() if name != "en"])
def test_nothing_is_untranslated(locale: str) -> None:
    with (TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=locale)
    done = {m.id[0] if isinstance(m.id, tuple) else m.id for m in catalogue if m.string}
    assert sorted(messages() - done) == []


@pytest.mark.parametrize("locale", [name for name in locales() if name != "en"])
def test_no_text_has_two_translations(locale: str) -> None:
    file = TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po"
    texts = re.findall(r'^msgid ((?:".*"\n)+)', file.read_text(), re.MULTILINE)
    assert sorted(text for text in set(texts) if texts.count(text) > 1) == []


@pytest.mark.parametrize("locale", [name for name in locales() if name != "en"])
def test_every_placeholder_is_kept(locale: str) -> None:
    with (TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=locale)
    wrong = [(message.id, str(error)) for message, errors in catalogue.check() for error in errors]
    assert wrong == []
