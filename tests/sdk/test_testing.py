"""The simulator behaves like a store, so that an app's tests mean something."""

from collections.abc import Iterator

import pytest
from caravan import App, Context, HostError, PaymentRequired, Slot, _host
from caravan.testing import HostCall, Simulator

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
