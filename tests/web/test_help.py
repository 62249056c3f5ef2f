"""The page that answers what people ask first."""

import re

import pytest

from marketplace.infra.db import Database
from marketplace.web import help as help_page
from tests.factories.pages import make_store


@pytest.mark.parametrize(("locale", "title"), [("en", "Running apps"), ("ar", "تشغيل التطبيقات")])
def test_every_question_has_an_answer_in_the_readers_language(
    database: Database, locale: str, title: str
) -> None:
    page = make_store(database, help_page.bp).test_client().get(f"/help?lang={locale}").text
    assert title in page
    topics = re.findall(r"<summary>(.+?)</summary>\s*<div class=\"prose\"><p>(.+?)</p>", page)
    assert len(topics) > 10
    assert all(question and answer for question, answer in topics)
    assert '<a href="/help">' in page
