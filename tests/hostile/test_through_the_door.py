"""Hostile apps in a whole store: each ends as it must, and nobody else notices anything."""

import json
import re
from collections.abc import Iterator

import pytest
from caravan.bundle import pack

from tests.e2e.lab import TOKEN
from tests.factories.publishing import manifest_text
from tests.hostile import web
from tests.hostile.further import LEFT_BEHIND
from tests.hostile.stage import (
    BODIES,
    HEAD,
    NEIGHBOUR,
    RUNS,
    SPENDER,
    Stage,
    attacked,
    audit_of,
    begin,
    ident_of,
    start,
)
from tests.hostile.uploads import UPLOADS, files
from tests.hostile.web import REQUESTS

# Everything is uploaded and run before the first test looks; a loaded machine takes minutes.
pytestmark = pytest.mark.timeout(900)
# Memory that Python may keep for itself after some hundred requests, in MiB.
SLACK_MB = 40


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Upload everything, run what came in, and look at the store before and after."""
    with attacked(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.mark.parametrize("name", UPLOADS)
def test_a_hostile_upload_is_turned_down_by_its_rule(stage: Stage, name: str) -> None:
    state = stage.states[name]
    if state["status"] == 201:
        assert state["state"] == "rejected", state
        rules = [each["rule"] for each in state["checks"] if each["level"] == "error"]
    else:
        assert state["status"] in {413, 422}, state
        rules = [state["rule"], *(each["rule"] for each in state.get("findings", []))]
    expected = UPLOADS[name][0]
    # On a busy machine the clock may run out before the computing time does.
    assert {expected, "limit.wall" if expected == "limit.cpu" else expected} & set(rules)


@pytest.mark.parametrize("name", RUNS)
def test_a_hostile_run_ends_in_its_rule_and_the_audit_log_has_it(stage: Stage, name: str) -> None:
    if name not in REQUESTS:
        assert stage.states[name]["state"] == "published", stage.states[name]
    first, *calls, last = stage.audits[name]
    assert (first["app"], first["action"]) == (
        "hostile.web" if name in REQUESTS else ident_of(name),
        "go",
    )
    assert [call["n"] for call in calls] == list(range(1, len(calls) + 1))
    assert last["end"]["kind"] == "failed"
    assert last["end"]["rule"] in RUNS[name]
    assert last["end"]["host_calls"] == len(calls)


@pytest.mark.parametrize("name", RUNS)
def test_a_neighbour_in_the_same_second_is_untouched(stage: Stage, name: str) -> None:
    began, ended = stage.spans[name]
    beside = [one for one in stage.neighbours if one[0] < ended + 1 and one[1] > began - 1]
    assert beside
    for _, _, events in beside:
        names = [event for event, _ in events]
        assert "text" in names
        assert "failed" not in names


def test_the_neighbour_lost_no_count(stage: Stage) -> None:
    texts = [
        json.loads(data)["text"]
        for *_, events in stage.neighbours
        for event, data in events
        if event == "text"
    ]
    assert texts == [str(number) for number in range(1, len(stage.neighbours) + 1)]


def test_processes_descriptors_and_memory_are_where_they_were(stage: Stage) -> None:
    for name, value in stage.after.items():
        slack = SLACK_MB if name.endswith(" mb") else 2 if name.endswith("descriptors") else 0
        assert value <= stage.before[name] + slack, (name, stage.before, stage.after)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_hostile_request_is_one_call_of_its_log_and_no_secret_is_in_it(
    stage: Stage, name: str
) -> None:
    lines = stage.audits[name]
    asked = [line for line in lines if line.get("op") == "http.fetch"]
    assert len(asked) <= len(REQUESTS[name][0]["requests"])
    assert asked[-1]["op"] == "http.fetch"
    assert web.TOKEN not in json.dumps(lines)
    rule = REQUESTS[name][1]
    if rule.startswith("http."):
        assert asked[-1]["refused"]["code"] == rule


def test_only_what_may_be_asked_has_reached_a_site(stage: Stage) -> None:
    assert stage.audits
    assert sorted(set(web.Site.paths)) == [
        "/",
        "/bomb",
        "/drip",
        "/headers",
        "/hop?/",
        "/hop?/hop?/",
        "/hop?/hop?/hop?/",
        "/hop?/hop?/hop?/hop?/",
        "/hop?file:///etc/passwd",
        "/hop?http://169.254.169.254/",
        "/hop?http://inside.example.org/",
        "/interim",
        "/long",
        "/nonsense",
        "/silent",
        "/slow-headers",
    ]


def test_the_next_run_finds_nothing_of_the_one_before(stage: Stage) -> None:
    name = next(name for name, (body, _) in BODIES.items() if body == LEFT_BEHIND)
    person = stage.people[0]
    run = begin(person, ident_of(name))
    person.events(run)
    assert audit_of(stage.lab, run)[-1]["end"]["rule"] == "app.error"


def test_what_an_app_says_is_text_on_the_page_and_chance_is_new_each_time(stage: Stage) -> None:
    person, draws = stage.people[0], set()
    for _ in range(2):
        run = begin(person, "hostile.speaker")
        events = person.events(run)
        assert "failed" not in [name for name, _ in events]
        draws.add(json.loads([data for name, data in events if name == "text"][-1])["text"])
        page = person.client.get(run)
        for evil in (
            "<script>alert",
            "<img src=x",
            "<iframe",
            'href="javascript:',
            "onerror=alert(1)>",
        ):
            assert evil not in page.text
        assert "&lt;script&gt;alert(2)" in page.text
        assert "script-src" in page.headers["Content-Security-Policy"]
    assert len(draws) == 2


def test_many_small_runs_are_no_way_round_the_hour(stage: Stage) -> None:
    person = stage.lab.person()

    def spend(count: int) -> list[str]:
        asked = {"requests": [{"url": "http://localhost/"}] * count, "is_patient": True}
        run = begin(person, SPENDER, asked=json.dumps(asked))
        person.events(run)
        calls = audit_of(stage.lab, run)[1:-1]
        return [line["refused"]["code"] for line in calls if line["op"] == "http.fetch"]

    off, over = "http.off-list", "limit.egress_requests"
    try:
        # The hour has 200, one run 50; the last but ten have the ten that are left.
        assert [spend(count) for count in (50, 50, 50, 40)] == [[off] * n for n in (50, 50, 50, 40)]
        assert spend(15) == [off] * 10 + [over] * 5
        refused = start(person, SPENDER, asked='{"requests": []}')
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
    finally:
        person.close()


def test_a_version_never_changes_and_an_id_has_one_owner(stage: Stage) -> None:
    again = pack(files("hostile.neighbour", {"app.py": HEAD + NEIGHBOUR + "    yield 'evil'\n"}))
    answer = stage.lab.upload(again)
    assert (answer.status_code, answer.json()["rule"]) == (409, "release.duplicate-version")
    stranger = stage.lab.person()
    try:
        stranger.post("/portal/become-developer", "/accounts/settings")
        page = stranger.post("/portal/tokens", "/portal/tokens", name="Mine").text
        found = TOKEN.search(page)
        assert found, page
        text = manifest_text(ident="hostile.neighbour", version="2.0.0", name="Neighbour")
        changes = files("hostile.neighbour", {}) | {"caravan.toml": text.encode()}
        answer = stage.lab.upload(pack(changes), token=found[1])
        assert (answer.status_code, answer.json()["rule"]) == (403, "app.not-yours")
    finally:
        stranger.close()


def test_there_are_many_cases_and_each_name_is_its_own() -> None:
    idents = [ident_of(name) for name in (*UPLOADS, *RUNS)]
    assert len(idents) == len(set(idents)) >= 180
    assert all(re.fullmatch(r"hostile\.[a-z0-9-]+", ident) for ident in idents)
