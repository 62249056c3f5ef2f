"""Whatever strangers write, wherever it is shown: nothing runs, nothing breaks, nothing turns."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from tests.corpus.payloads import BIDI, PAYLOADS, Strangers
from tests.corpus.records import Corpus, corpus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
# What no page of ours has, whatever stands on it: an element or attribute that a text became, a
# script that is not ours, an address that runs. Looked for in this page, or in one as it was sent.
FOREIGN = r"""html => {
    const page = html ? new DOMParser().parseFromString(html, 'text/html') : document;
    const within = root => [...root.querySelectorAll('*')].flatMap(
        each => [each, ...(each.localName === 'template' ? within(each.content) : [])]);
    const wrong = [];
    for (const each of within(page)) {
        const name = each.localName;
        const source = each.attributes.src?.value;
        // Facts for search engines are no script, as long as all of it is facts.
        const isData = each.type === 'application/ld+json' && JSON.parse(each.textContent);
        const isStatic = /^(http:\/\/127\.0\.0\.1:\d+)?\/static\//.test(source);
        const isOurs = name !== 'script' || isData || isStatic;
        const isForeign = /^(iframe|object|embed|base|frame|math|plaintext|style)$/.test(name);
        if (!isOurs || isForeign) wrong.push(each.outerHTML.slice(0, 200));
        for (const {name: key, value} of each.attributes) {
            const runs = /^(href|src|action|formaction|data|srcdoc|xlink:href)$/.test(key)
                && /^[\s\x00-\x20]*(javascript|vbscript|data:text)/i.test(value);
            const isOfChart = key === 'style' && each.closest('[data-chart-plot]');
            if (/^on|^data-in$|^style$/.test(key) && !isOfChart || runs) {
                wrong.push(`${name} ${key}=${value.slice(0, 80)}`);
            }
        }
    }
    if (window.ran) wrong.push('a script ran');
    return wrong;
}"""
WIDER = """() => document.documentElement.scrollWidth > innerWidth
    ? [`${document.documentElement.scrollWidth} px wide in a window of ${innerWidth}: ` +
        [...document.querySelectorAll('main *')].filter(each => {
            const {left, right} = each.getBoundingClientRect();
            return right > innerWidth + 1 || left < -1;
        }).map(each => `${each.localName}.${each.className}`).slice(0, 8).join(' ')]
    : []"""
SHOWN = re.compile(r"field-[a-z-]+")
# How templates show a stranger's text: set apart by an element, or as a part of a sentence.
PLACES = (
    "<i>1</i> <bdi>{{ text }}</bdi> <i>2</i> (<i>3</i>)",
    '<i>1</i> <span dir="auto">{{ text }}</span> <i>2</i> (<i>3</i>)',
    '{{ _("<i>1</i> “%(text)s” <i>2</i> (<i>3</i>)", text=text) }}',
)
# Each text between marks: how the marks stand to each other.
ORDER = """([isRtl, sentences]) => {
    const wrong = [];
    const line = document.createElement('p');
    line.dir = isRtl ? 'rtl' : 'ltr';
    line.style.whiteSpace = 'nowrap';
    document.querySelector('main').prepend(line);
    for (const text of sentences) {
        line.innerHTML = text;
        const places = [...line.querySelectorAll('i')].map(e => e.getBoundingClientRect().left);
        const [one, two, three] = isRtl ? places.reverse() : places;
        if (!(one < two && two < three)) wrong.push(`${escape(line.textContent)} ${places}`);
    }
    return wrong;
}"""


@dataclass
class Tab:
    """The page of somebody who may see everything, and what was seen of bad in it."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def look(self, path: str) -> None:
        """Load a page, and look at it wide and narrow."""
        answer = self.page.goto(path, wait_until="load")
        assert answer is not None
        if answer.status != 200 or not answer.url.endswith(path):
            self.wrong.append(f"{path}: {answer.status} {answer.url}")
        for width in (1280, 390):
            self.page.set_viewport_size({"width": width, "height": 900})
            found = self.page.evaluate(WIDER)
            self.wrong += [f"{path} at {width}: {each}" for each in found]
        self.wrong += [f"{path}: {each}" for each in self.page.evaluate(FOREIGN, "")]

    def hear(self, kind: str, text: str) -> None:
        """The policy for contents refuses what it must; there should be nothing to refuse."""
        if kind == "error":
            self.wrong.append(text)

    def watch(self, own: str, asked: str) -> None:
        """Nothing is asked of anybody else."""
        if not asked.startswith((own, "data:image/")):
            self.wrong.append(f"asked for {asked}")


@pytest.fixture(scope="module")
def tab(browser: Browser, full: Corpus) -> Iterator[Tab]:
    server = make_server("127.0.0.1", 0, full.store.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    context = browser.new_context(base_url=url, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    context.add_cookies([{"name": "caravan", "value": full.cookie, "url": url}])
    found = Tab(context.new_page())
    found.page.on("dialog", lambda dialog: (found.wrong.append(dialog.message), dialog.dismiss()))
    found.page.on("pageerror", lambda error: found.wrong.append(str(error)))
    found.page.on("console", lambda said: found.hear(said.type, said.text))
    found.page.on("request", lambda asked: found.watch(url, asked.url))
    yield found
    context.close()
    server.shutdown()
    thread.join()


def test_there_are_two_hundred_payloads_each_of_its_own() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200


def test_no_text_becomes_more_than_a_text_on_any_page(browser: Browser, tmp_path: Path) -> None:
    strangers, reader = Strangers(), browser.new_page()
    wrong: list[str] = []
    seen: set[str] = set()
    with corpus(tmp_path, strangers) as made:
        client = made.store.app.test_client()
        client.set_cookie("caravan", made.cookie)
        arabic = [f"{path}?lang=ar" for path in ("/categories/fun", f"/apps/{made.ids['ident']}")]
        for path in [*made.pages, f"/runs/{made.live}", *arabic]:
            html = client.get(path).text
            wrong += [f"{path}: {each}" for each in reader.evaluate(FOREIGN, html)]
            seen.update(SHOWN.findall(html))
    reader.close()
    assert wrong == [], "\n".join(wrong)
    # What a run that goes on says comes to its page as events.
    unseen = {each for each in strangers.fields if f"field-{each}" not in seen}
    assert {each for each in unseen if not each.startswith("live-")} == set()


def test_nothing_runs_and_nothing_leaves_its_place_in_the_browser(tab: Tab, full: Corpus) -> None:
    for path in [*full.pages, f"/apps/{full.ids['ident']}?lang=ar"]:
        tab.look(path)
    tab.look(f"/runs/{full.live}?lang=en")
    tab.page.wait_for_selector("#question-title")
    shown = set(SHOWN.findall(tab.page.content()))
    assert {"field-live-text", "field-live-markdown", "field-live-progress"} <= shown
    assert tab.page.evaluate(FOREIGN, "") == []
    assert tab.wrong == [], "\n".join(tab.wrong)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_no_text_turns_what_stands_around_it(tab: Tab, full: Corpus, language: str) -> None:
    app = full.store.app
    places = [app.jinja_env.from_string(place) for place in PLACES]
    with app.test_request_context(f"/?lang={language}"):
        sentences = [each.render(text=text) for each in places for text in BIDI]
    tab.page.goto(f"/accounts/settings?lang={language}")
    assert tab.page.evaluate(ORDER, [language == "ar", sentences]) == []
