"""What templates may use: Markdown that cannot run, addresses that change, letters."""

from html.parser import HTMLParser

import pytest
from flask import Flask, render_template_string, url_for
from jinja2 import UndefinedError
from sqlmodel import Session, select

from marketplace.infra.jobs import Job
from marketplace.web.templating import markdown, send_letter


class Tags(HTMLParser):
    """Collects tags as a browser would read them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[go](javascript:alert(1))",
        "[go](data:text/html,<script>alert(1)</script>)",
        "<img src=x onerror=alert(1)>",
        "![x](https://tracker.example/pixel.png)",
        "[x](https://a.example 'y\" onclick=\"alert(1)')",
        "<style>body{display:none}</style>",
        '<a href="https://a.example" style="position:fixed">x</a>',
    ],
)
def test_markdown_of_strangers_runs_nothing_and_loads_nothing(text: str) -> None:
    seen = Tags()
    seen.feed(markdown(text))
    for tag, attributes in seen.found:
        assert tag in {"p", "a"}
        assert set(attributes) <= {"href", "title", "rel"}
        assert (attributes.get("href") or "https:").startswith("https:")


def test_a_book_is_shown_as_it_is() -> None:
    html = markdown("# <b>Hello</b>\n" + "x" * 100_000)
    assert html.startswith('<div class="run-text"># &lt;b&gt;Hello&lt;/b&gt;\nxxx')
    assert markdown("# Hello\n" + "x" * 99_000).startswith("<h1>Hello</h1>")


def test_markdown_keeps_what_people_write() -> None:
    html = markdown("# Hello\n\n*a* **b** `c`\nnew line\n\n| x |\n|---|\n| y |")
    assert all(tag in html for tag in ("<h1>", "<em>", "<strong>", "<code>", "<td>"))
    link = markdown("[us](https://store.example.org)")
    assert 'rel="nofollow noopener noreferrer ugc"' in link


def test_lines_break_only_where_the_writer_means_it() -> None:
    assert "<br>" not in markdown("one\ntwo")
    assert "<br>" in markdown("one\ntwo", keeps_lines=True)


def test_a_template_that_names_an_unknown_variable_fails(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(UndefinedError):
        render_template_string("{{ typo }}")


def test_a_static_address_changes_with_its_content(app: Flask) -> None:
    with app.test_request_context("/"):
        assert "?v=" in url_for("static", filename="css/base.css")
        assert "?v=" not in url_for("static", filename="no/such.css")


@pytest.mark.parametrize(
    ("address", "max_age", "no_cache"),
    [
        ("/static/css/base.css?v=0123456789", 1000, None),
        ("/static/vendor/readex-pro/latin.woff2", 1000, None),
        ("/static/js/http.js", None, True),
    ],
)
def test_only_a_file_whose_address_changes_is_kept_unasked(
    app: Flask, address: str, max_age: int | None, no_cache: object
) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 1000
    with app.test_client().get(address) as answer:
        assert answer.cache_control.max_age == max_age
        assert answer.cache_control.no_cache == no_cache


LETTERS = {
    "welcome": {},
    "receipt": {
        "app_name": "Copy\nwriter & <b>",
        "amount": "$4.99",
        "url": "https://store.example.org/orders/1",
    },
    "refund": {
        "app_name": "Copy\nwriter & <b>",
        "amount": "$4.99",
        "url": "https://store.example.org/orders/1",
    },
}


@pytest.mark.parametrize("event", LETTERS)
def test_every_letter_is_whole(app: Flask, session: Session, event: str) -> None:
    with app.test_request_context("/"):
        send_letter(session, event, to="lina@example.org", **LETTERS[event])
    [job] = session.exec(select(Job)).all()
    letter = job.payload
    assert letter["to"] == "lina@example.org"
    assert "\n" not in letter["subject"]
    assert "https://store.example.org/" in letter["text"]
    assert 'href="https://store.example.org/' in letter["html"]
    assert "<b>" not in letter["html"]
    assert "&amp;" not in letter["text"] + letter["subject"]
    assert 'dir="ltr"' in letter["html"]
