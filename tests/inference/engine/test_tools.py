"""The real engine calls tools: in each family's way, control tokens or not, text kept apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from marketplace.inference.ports import BadGeneration, Piece, Tool, ToolCall
from tests.inference.engine.conftest import type_open
from tests.inference.engines import end_of, make_generation
from tests.inference.tiny_models import write_script

WEATHER = Tool("weather", "Tells the weather.", {"type": "object"})
TEMPLATE = "{% if tools %}{{ tools | tojson }}{% endif %}{{ messages[0].content + '\n' }}"
NAMED, GIVEN = '{"name": "weather", ', '"arguments": {"in": "Fes"}}'


@pytest.mark.parametrize(
    ("template", "script", "control"),
    [
        (f"<tool_call>{TEMPLATE}", ["<tool_call>", NAMED, f"{GIVEN}\n", "</tool_call>"], ""),
        (f"[TOOL_CALLS]{TEMPLATE}", ["[TOOL_CALLS]", f"[{NAMED}", f"{GIVEN}]"], "[TOOL_CALLS]"),
        (f"<|python_tag|>{TEMPLATE}", ["<|python_tag|>", NAMED, GIVEN], "<|python_tag|>"),
    ],
)
def test_calls_are_events_and_the_text_beside_them_is_text(
    bench: type_open, tmp_path: Path, template: str, script: list[str], control: str
) -> None:
    script = ["I look. ", *script]
    model = write_script(tmp_path / "script.gguf", script, template=template, control=control)
    opened = bench(model)
    [events] = opened.answer(make_generation(tools=(WEATHER,), max_tokens=50))
    *before, call, end = events
    assert "".join(event.text for event in before) == "I look. "
    assert isinstance(call, ToolCall)
    assert (call.name, json.loads(call.arguments)) == ("weather", {"in": "Fes"})
    assert (end.reason, end.usage.generated_tokens) == ("stop", len(script))
    [other] = opened.answer(make_generation(tools=(Tool("other", "", {}),), max_tokens=50))
    assert "".join(event.text for event in other[:-1]) == "".join(script)
    [plain] = opened.answer(make_generation(max_tokens=50))
    assert all(isinstance(event, Piece) for event in plain[:-1])
    assert "".join(event.text for event in plain[:-1]) == "".join(script).replace(control, "")


def test_tools_take_part_in_the_prompt(bench: type_open, tmp_path: Path) -> None:
    template = f"<tool_call>{TEMPLATE}"
    opened = bench(write_script(tmp_path / "script.gguf", ["A"], template=template))
    without, with_tools = opened.answer(make_generation(), make_generation(tools=(WEATHER,)))
    tokens = [end_of(events).usage.prompt_tokens for events in (without, with_tools)]
    assert tokens[1] > tokens[0] + 50


def test_a_model_without_tools_refuses_them_before_anything_runs(
    bench: type_open, noise: Path
) -> None:
    opened: Any = bench(noise)
    with pytest.raises(BadGeneration, match="knows no tools"):
        opened.engine.submit(0, make_generation(tools=(WEATHER,)))


LOOK = Tool("look", "Looks.", {"properties": {"at": {"enum": ["a", "b"]}}, "required": ["at"]})


@pytest.mark.parametrize("mark", ["<tool_call>", "[TOOL_CALLS]", "<|python_tag|>"])
@pytest.mark.parametrize("choice", ["look", "required"])
def test_a_call_that_has_to_be_made_is_made(
    bench: type_open, tmp_path: Path, mark: str, choice: str
) -> None:
    template = f"{mark}{TEMPLATE}"
    opened = bench(
        write_script(tmp_path / "script.gguf", ["I would rather talk."], template=template)
    )
    offered = (LOOK,) if choice == "required" else (WEATHER, LOOK)
    asked = make_generation(tools=offered, tool_choice=choice, max_tokens=200)
    [[call, end]] = opened.answer(asked)
    assert isinstance(call, ToolCall)
    assert call.name == "look"
    assert json.loads(call.arguments)["at"] in {"a", "b"}
    assert end.reason == "stop"
