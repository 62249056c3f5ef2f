"""The shipped apps beyond the road's three: what each does, without a store."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caravan import HostError
from caravan.bundle import build, open_bundle
from caravan.checks import check
from caravan.cli.evals import performed
from caravan.reading import read_samples
from caravan.samples import alone, spoken
from caravan.testing import Result, Simulator, Upload

from marketplace.catalog.wording import SHOWN
from marketplace.inference import gguf_file
from marketplace.inference.ports import EngineStatus, ServedModel
from marketplace.runs import wishes
from tests.factories.shipped import PLUGINS, app_of

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.parent.name for path in PLUGINS.glob("*/caravan.toml"))
TABLE = "City,Month,Sales\nAmman,May,120\nPetra,May,80\nAmman,June,150\n"


def test_ten_apps_are_shipped() -> None:
    assert len(SHIPPED) == 10


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_app_is_whole(name: str) -> None:
    bundle = open_bundle(build(PLUGINS / name))
    assert [each for each in check(bundle) if each.level != "pass"] == []
    assert any(alone(bundle.files)) or name in {"minutes", "tutor", "webreader"}
    shots = bundle.manifest.screenshot
    assert [shot.file for shot in shots] == ["assets/en.webp", "assets/ar.webp"]
    for shot in shots:
        # A WebP's size stands in its first bytes; a stand-in of a few pixels is no picture.
        head = bundle.files[shot.file]
        assert (head[:4], head[8:12]) == (b"RIFF", b"WEBP")
        assert 8_000 < len(head) < 80_000
    arabic = bundle.listings["ar"]
    assert len(arabic.captions) == len(shots)
    for words in (arabic.name, arabic.summary, arabic.description, *arabic.captions):
        assert re.search("[\u0621-\u064a]", words), words


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_app_may_use_the_model_that_comes_with_the_store(name: str) -> None:
    facts = gguf_file.read_facts(ROOT / "models" / "caravan-demo.gguf")
    demo = ServedModel("demo", "Demo", ("default",), facts.context)
    manifest = open_bundle(build(PLUGINS / name)).manifest.model_dump(mode="json")
    assert wishes.unmet(manifest, EngineStatus(ready=True, models=(demo,))) is None


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PLUGINS.glob("*/app.py")))
def test_every_caption_of_a_shipped_app_has_its_arabic_words(name: str) -> None:
    bundle = open_bundle(build(PLUGINS / name))
    manifest = bundle.manifest.model_dump(include={"permission", "network", "setting"})
    shown = set(captions([app_of(name).describe(), manifest]))
    assert shown - set(bundle.listings["ar"].words) == set()


def captions(node: Any) -> Iterator[str]:
    """What people read of a description; a placeholder may be an example in the app's language."""
    for each in node.values() if isinstance(node, dict) else node:
        if isinstance(each, dict | list):
            yield from captions(each)
    if isinstance(node, dict):
        for key in SHOWN - {"placeholder"} & node.keys():
            if node[key] and isinstance(node[key], str):
                yield node[key]
        yield from map(str, node.get("enum", ()))


@pytest.mark.parametrize("name", ["minutes", "spreadsheet", "webreader"])
def test_the_samples_of_an_app_hold_without_the_model(name: str) -> None:
    bundle = open_bundle(build(PLUGINS / name))
    store = Simulator(app_of(name), permissions=bundle.manifest.permissions - {"llm.generate"})
    for path in sorted((PLUGINS / name / "evals").glob("*.toml")):
        for case in read_samples(path.read_bytes(), f"evals/{path.name}").case:
            said = spoken(performed(store, case, path.parent).items)
            assert [each for each in case.expect_contains if each not in said] == []


def test_the_companion_sends_what_was_said_before_and_forgets_it() -> None:
    asked: list[Any] = []

    def model(payload: dict[str, Any]) -> list[str]:
        asked.append([part["content"] for part in payload["messages"][1:]])
        return ["Well ", "said."]

    store = Simulator(app_of("companion"), llm=model, permissions={"llm.generate", "kv.user"})
    assert store.run("talk", message="I like  mint tea.").text == "Well said."
    store.run("talk", message="What do I like?")
    assert asked[1] == ["I like mint tea.", "Well said.", "What do I like?"]
    [table] = store.run("remembered").items
    assert [row[0] for row in table["rows"]] == ["I like mint tea.", "What do I like?"]
    store.run("forget")
    assert store.run("remembered").text == "*Nothing yet.*"


def test_the_companion_keeps_a_bounded_memory() -> None:
    store = Simulator(app_of("companion"), llm=["Yes."])
    for number in range(45):
        store.run("talk", message=str(number))
    kept = store.kv["user", "turns"]
    assert (len(kept), kept[0]["you"], kept[-1]["you"]) == (40, "5", "44")


def test_the_companion_sends_as_much_as_a_small_model_holds() -> None:
    sent: list[int] = []

    def model(payload: dict[str, Any]) -> list[str]:
        sent.append(sum(len(part["content"]) for part in payload["messages"][1:-1]))
        return ["Yes."]

    store = Simulator(app_of("companion"), llm=model)
    for _ in range(4):
        store.run("talk", message="tea " * 75)
    assert sent == [0, 303, 606, 606]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Total sales by city?", [["Amman", 270], ["Petra", 80]]),
        ("average SALES per month", [["June", 150], ["May", 100]]),
        ("Highest sales by city", [["Amman", 150], ["Petra", 80]]),
        ("How many rows for each city?", [["Amman", 2], ["Petra", 1]]),
    ],
)
def test_table_talk_works_out_a_plain_question_without_the_model(
    question: str, rows: list[list[Any]]
) -> None:
    store = Simulator(app_of("spreadsheet"), permissions=set())
    table, chart = store.run("ask", table=TABLE, question=question).items
    assert (table["kind"], table["rows"]) == ("table", rows)
    assert (chart["kind"], chart["type"]) == ("chart", "bar")
    assert chart["x"] == [row[0] for row in rows]


def test_table_talk_lets_the_model_choose_within_the_table_alone() -> None:
    asked: list[dict[str, Any]] = []

    def model(payload: dict[str, Any]) -> list[str]:
        asked.append(payload["json_schema"]["properties"])
        return ['{"measure": "lowest", "column": "Sales", "by": ""}']

    result = Simulator(app_of("spreadsheet"), llm=model).run(
        "ask", table=TABLE.replace(",", "\t"), question="Who did worst of all?"
    )
    assert result.text == "**Lowest sales: 80**"
    assert asked[0]["column"]["enum"] == ["Sales"]


@pytest.mark.parametrize("table", ["x", "a,b\n", ",,\n,,\n"])
def test_table_talk_asks_for_a_table_where_there_is_none(table: str) -> None:
    result = Simulator(app_of("spreadsheet")).run("ask", table=table, question="Total?")
    assert "no table" in result.text


def test_a_character_is_told_who_they_are_and_to_stay_so() -> None:
    systems: list[str] = []

    def model(payload: dict[str, Any]) -> list[str]:
        systems.append(payload["messages"][0]["content"])
        return ["The stars know."]

    store = Simulator(app_of("persona"), llm=model, permissions={"llm.generate"})
    result = store.run("ask", question="Who are you?", character="Noor, the stargazer")
    assert result.text == "**Noor, the stargazer**\n\nThe stars know."
    assert systems[0].startswith("You are Noor")
    assert "Stay this person" in systems[0]


def minutes_of(notes: str, **given: Any) -> Result:
    store = Simulator(app_of("minutes"), llm=[["First."], ["Second."]])
    return store.run("write", notes=Upload("notes.txt", notes.encode()), **given)


def test_minutes_sort_subtitles_by_what_their_lines_say() -> None:
    said = minutes_of(
        "WEBVTT\n\n1\n00:00.000 --> 00:02.000\nOmar: We agreed on mint tea.\n"
        "2\n00:02.000 --> 00:04.000\nSara: We must order it by Friday.\n"
        "3\n00:04.000 --> 00:06.000\nSara: Will Omar pay?\n"
    )
    assert "**Present:** Omar, Sara" in said.text
    assert "### Decisions\n\n- We agreed on mint tea. (Omar)" in said.text
    assert "### Open questions\n\n- Will Omar pay? (Sara)" in said.text
    assert said.all("table")[0]["rows"] == [["Sara", "We must order it by Friday.", "Friday"]]
    assert [call.op for call in said.host_calls if call.op.startswith("llm")] == []


@pytest.mark.parametrize(
    ("notes", "sentence"),
    [("\n \n", "no words"), ("It rained.\n", "No line of these notes is marked")],
)
def test_minutes_say_where_nothing_was_found(notes: str, sentence: str) -> None:
    assert sentence in minutes_of(notes).text


def test_minutes_are_summed_up_part_by_part_where_it_is_wished() -> None:
    said = minutes_of("Omar: It rained, and we talked of tea.\n" * 60, summary=True)
    assert said.text.endswith("### Summary\n\nFirst.\n\nSecond.\n\n")
    asked = [
        call.payload["messages"][-1]["content"] for call in said.host_calls if "llm" in call.op
    ]
    assert [len(part) <= 2_000 for part in asked] == [True, True]
    assert "".join(asked).count("talked of tea") == 60


def tutored(*answers: str | None, kv: dict[tuple[str, str], Any], say: str = "Où est ?") -> Result:
    store = Simulator(app_of("tutor"), llm=[say], kv=kv)
    store.answers = [{"translation": each} if each else {} for each in answers]
    return store.run("lesson", language="French", questions=len(answers))


def test_the_tutor_asks_and_takes_a_translation_without_its_marks() -> None:
    said = tutored("ou est", None, "ici", kv={})
    titles = [call.payload["title"] for call in said.host_calls if call.op == "form.ask"]
    assert titles[:2] == ["1. Where is the train station?", "2. I would like two coffees, please."]
    assert "✓ Right. Written out: *Où est ?*" in said.text
    assert "→ *Où est ?*" in said.text
    assert "✗ You wrote: ici\n\n*Où est ?*" in said.text
    assert "### 1 / 3" in said.text


def test_what_the_learner_missed_comes_first_and_what_they_know_is_kept() -> None:
    kv: dict[tuple[str, str], Any] = {}
    tutored(*["Où est ?"] * 10, kv=kv)
    tutored("Où est ?", "no", kv=kv)
    [first] = [call for call in tutored(None, kv=kv).host_calls if call.op == "form.ask"]
    assert first.payload["title"] == "1. I am lost."
    store = Simulator(app_of("tutor"), kv=kv)
    assert store.run("known").text.splitlines()[-1] == "- Where is the market?: 1"
    store.run("forget")
    assert store.run("known").text == "*Nothing yet. Begin a lesson.*"


def test_the_tutor_needs_somebody_who_answers() -> None:
    with pytest.raises(HostError) as refused:
        Simulator(app_of("tutor"), llm=["Oui."]).run("lesson")
    assert refused.value.code == "form.no-page"


def article_at(host: str, title: str) -> str:
    """The address that Wikipedia answers with an article's plain text."""
    return (
        f"https://{host}/w/api.php?action=query&prop=extracts&explaintext=1&redirects=1"
        f"&format=json&formatversion=2&titles={title}"
    )


def read(article: str, answer: Any, **given: Any) -> Result:
    address = article_at("ar.wikipedia.org", "%D8%B4%D8%A7%D9%8A%20x")
    store = Simulator(app_of("webreader"), llm=["It is tea."], web={address: answer})
    return store.run("read", article=article, language="Arabic", **given)


def test_the_web_reader_understands_a_title_and_an_address() -> None:
    page = {"title": "شاي", "extract": "الشاي مشروب يشربه الناس في كل مكان من العالم."}
    answer = json.dumps({"query": {"pages": [page]}})
    for article in (" شاي x", "https://ar.m.wikipedia.org/wiki/%D8%B4%D8%A7%D9%8A_x"):
        said = read(article, answer)
        assert said.text.startswith("## شاي\n\n[ar.wikipedia.org]")
        assert said.text.endswith("- الشاي مشروب يشربه الناس في كل مكان من العالم.\n")
        assert [call.op for call in said.host_calls] == ["output.progress", "http.fetch"]
    assert read("شاي x", answer, summary=True).text.endswith("model's words\n\nIt is tea.")


@pytest.mark.parametrize(
    "answer", ['{"query": {"pages": [{"title": "x", "missing": true}]}}', "{}"]
)
def test_the_web_reader_says_that_there_is_no_such_article(answer: str) -> None:
    assert "no article “شاي x” on ar.wikipedia.org" in read("شاي x", answer).text


def test_the_web_reader_says_that_the_web_does_not_answer_well() -> None:
    with pytest.raises(HostError, match=r"ar\.wikipedia\.org answered 503"):
        read("شاي x", (503, ""))


def test_the_companion_needs_its_permission() -> None:
    store = Simulator(app_of("companion"), permissions={"llm.generate"})
    with pytest.raises(HostError) as refused:
        store.run("talk", message="Hello")
    assert refused.value.code == "permission.kv.user"
