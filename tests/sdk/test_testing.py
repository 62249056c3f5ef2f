"""The simulator behaves like a store, so that an app's tests mean something."""

from collections.abc import Iterator

import pytest
from caravan import App, Context, File, HostError, PaymentRequired, Slot, _host
from caravan.testing import HostCall, Simulator, Upload

app = App()


@app.action("Greet")
def greet(ctx: Context, name: str) -> Iterator[str | Slot]:
    """Greet somebody, and count how often."""
    yield f"{ctx.kv.user.incr('greetings')}: "
    yield from ctx.llm.stream(name)
    yield ctx.ads.slot("end")
    ctx.log("done")


@app.action("Sell")
def sell(ctx: Context) -> str:
    ctx.require("pro")
    return ctx.llm.complete("a") + ctx.llm.complete("b") + ctx.llm.complete("c")


@app.action("Remember")
def remember(ctx: Context) -> str:
    ctx.kv.app.set("b", [1])
    ctx.kv.app.set("a", {"x": None})
    ctx.kv.user.set("z", 1)
    ctx.kv.user.delete("z")
    return f"{ctx.kv.app.keys()} {ctx.kv.app.get('a')} {ctx.kv.user.get('z')} {ctx.user.locale}"


def test_a_run_shows_its_text_items_calls_and_log() -> None:
    simulator = Simulator(app, llm=["sal", "am"])
    result = simulator.run("greet", name="Amina")
    assert (result.text, result.slots, result.log) == ("1: salam", ["end"], ["done"])
    assert [call.op for call in result.host_calls] == [
        "kv.incr",
        "llm.open",
        *["llm.next"] * 3,
        "ads.slot",
        "log.write",
    ]
    assert result.host_calls[0] == HostCall(
        "kv.incr", {"scope": "user", "key": "greetings", "by": 1}
    )
    assert simulator.run("greet", name="Amina").text == "2: salam"


def test_the_model_may_have_several_answers_or_be_a_function() -> None:
    answers = Simulator(app, llm=[["1"], ["2", "!"]], entitlements={"pro"})
    assert answers.run("sell").text == "12!2!"
    echo = Simulator(app, llm=lambda asked: [asked["messages"][-1]["content"]])
    assert echo.run("greet", name="Amina").text == "1: Amina"


def test_what_is_not_bought_or_granted_is_refused() -> None:
    with pytest.raises(PaymentRequired):
        Simulator(app).run("sell")
    with pytest.raises(HostError, match=r"not been granted “ads\.show”") as caught:
        Simulator(app, permissions={"kv.user", "llm.generate"}).run("greet", name="x")
    assert caught.value.code == "permission.ads.show"


def test_storage_is_apart_by_scope() -> None:
    result = Simulator(app, locale="ar").run("remember")
    assert result.text == "['a', 'b'] {'x': None} None ar"


def test_a_stream_gives_items_one_by_one_and_leaves_no_door_open() -> None:
    items = Simulator(app).stream("greet", name="x")
    assert next(items) == {"kind": "text", "text": "1: "}
    items.close()  # type: ignore[attr-defined]
    with pytest.raises(HostError, match="needs a store"):
        _host.call("kv.get", {})


@app.action("Read")
def read(ctx: Context, file: File) -> Iterator[str]:
    yield f"{file.name}: {file.text()} "
    ctx.llm.forward("Go on")
    yield " the end"


@app.action("Use everything")
def everything(ctx: Context) -> str:
    ctx.meter("pages", 2)
    ctx.meter("pages")
    ctx.progress(1)
    near, other = ctx.llm.embed(["warm tea", "tea warm"]), ctx.llm.embed("rain")
    ctx.kv.user.set("k", 1)
    swapped = ctx.kv.user.cas("k", 1, 2), ctx.kv.user.cas("k", 1, 3), ctx.kv.user.get("k")
    page = ctx.http.get("https://example.org/")
    return f"{near[0] == near[1]} {near[0] == other[0]} {swapped} {page.status} {page.text}"


def test_a_picked_file_is_read_and_a_forwarded_answer_keeps_its_place() -> None:
    result = Simulator(app, llm=["A", "B"]).run("read", file=Upload("a.txt", b"hi"))
    assert result.text == "a.txt: hi AB the end"
    with pytest.raises(HostError, match="no such file"):
        Simulator(app).run(
            "read", file={"file": "x", "name": "a", "media_type": "", "size_bytes": 1}
        )


def test_every_other_part_of_the_store_is_there_too() -> None:
    result = Simulator(app, web={"https://example.org/": (201, "hello")}).run("everything")
    assert result.text == "True False (True, False, 2) 201 hello"
    assert result.meters == {"pages": 3}


def test_what_the_simulator_was_not_given_is_refused() -> None:
    with pytest.raises(HostError, match="knows no answer of https://example"):
        Simulator(app).run("everything")
    with pytest.raises(HostError, match=r"not been granted “billing\.meter”"):
        Simulator(app, permissions=()).run("everything")
    with pytest.raises(HostError, match=r"no function “a\.b”"):
        Simulator(app)._desk().call("a.b", {})
    with pytest.raises(HostError, match="nobody can be asked"):
        Simulator(app)._desk().call("form.ask", {"schema": {}, "title": ""})
