"""An app's actions: how they are described, and what running one yields."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from caravan import (
    App,
    Context,
    Field,
    InvalidAction,
    InvalidInput,
    Json,
    Markdown,
    Slot,
)
from caravan.errors import UnknownAction

SDK = Path(__file__).parents[2] / "sdk"


def make_app() -> App:
    app = App()

    @app.action("Summarise")
    def summarise(
        ctx: Context,
        text: Annotated[str, Field(multiline=True, max_length=20)],
        tone: Literal["brief", "friendly"] = "brief",
    ) -> Iterator[str | Markdown | Json | Slot]:
        """Shorten a text.

        And keep its tone.
        """
        yield f"{tone}: "
        yield Markdown(f"**{text}**")
        yield Json({"locale": ctx.user.locale})
        yield Slot("after-result")

    @app.action("Greet")
    def greet(name: str | None = None) -> str:
        return f"Hello {name or 'you'}"

    return app


def test_an_app_describes_its_actions_in_order() -> None:
    described = make_app().describe()["actions"]
    assert [(each["name"], each["title"], each["doc"]) for each in described] == [
        ("summarise", "Summarise", "Shorten a text.\n\nAnd keep its tone."),
        ("greet", "Greet", ""),
    ]
    assert described[0]["input_schema"] == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "text": {
                "type": "string",
                "maxLength": 20,
                "x-ui": {"widget": "textarea", "label": "Text"},
            },
            "tone": {
                "type": "string",
                "enum": ["brief", "friendly"],
                "default": "brief",
                "x-ui": {"widget": "select", "label": "Tone"},
            },
        },
        "required": ["text"],
        "additionalProperties": False,
    }
    for each in described:
        jsonschema.Draft202012Validator.check_schema(each["input_schema"])


def test_running_yields_every_kind_of_item() -> None:
    ran = make_app().run("summarise", {"text": "tea"}, Context(locale="ar"))
    assert list(ran) == [
        {"kind": "text", "text": "brief: "},
        {"kind": "text", "text": "**tea**", "format": "markdown"},
        {"kind": "json", "value": {"locale": "ar"}},
        {"kind": "slot", "name": "after-result"},
    ]


def test_a_plain_function_and_an_absent_value_work() -> None:
    assert list(make_app().run("greet", {}, Context())) == [{"kind": "text", "text": "Hello you"}]


def test_wrong_input_is_refused_before_the_app_runs() -> None:
    with pytest.raises(InvalidInput) as caught:
        list(make_app().run("summarise", {"text": "x" * 21, "tone": "rude"}, Context()))
    assert caught.value.fields == {
        "text": "Text may have at most 20 characters.",
        "tone": "Tone must be one of: brief, friendly.",
    }


def test_an_unknown_action_names_those_there_are() -> None:
    with pytest.raises(UnknownAction, match="no action “sing”; it has: summarise, greet"):
        list(make_app().run("sing", {}, Context()))


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object()])
def test_data_that_is_not_json_is_refused(value: Any) -> None:
    app = App()

    @app.action("Tell")
    def tell() -> Json:
        return Json(value)

    with pytest.raises(InvalidAction, match="not JSON"):
        list(app.run("tell", {}, Context()))


def test_a_result_that_cannot_be_shown_is_refused() -> None:
    app = App()

    @app.action("Count")
    def count() -> set[int]:
        return {3}

    with pytest.raises(InvalidAction, match="gave a set"):
        list(app.run("count", {}, Context()))


def test_an_action_needs_types_a_title_and_a_name_of_its_own() -> None:
    def untyped(text) -> None:  # type: ignore[no-untyped-def]
        del text

    def starred(*words: str) -> str:
        return "".join(words)

    def Shout(text: str) -> str:  # noqa: N802 (the name is what is tested)
        return text

    def greet() -> str:
        return "Hello"

    app = App()
    refused: list[tuple[str, Any, str]] = [
        ("Echo", untyped, "“text” of “untyped” needs a type"),
        ("Echo", starred, "name every parameter"),
        ("Echo", Shout, "“Shout” cannot name an action"),
        (" ", greet, "“greet” needs a title"),
    ]
    for title, function, message in refused:
        with pytest.raises(InvalidAction, match=message):
            app.action(title)(function)
    app.action("Greet")(greet)
    with pytest.raises(InvalidAction, match="two actions “greet”"):
        app.action("Greet")(greet)


def test_an_app_imports_the_standard_library_alone() -> None:
    probe = (
        "import sys; before = set(sys.modules); import caravan; "
        "print(*sorted({m.split('.')[0] for m in sys.modules.keys() - before}"
        " - sys.stdlib_module_names - {'caravan'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-E", "-c", probe],
        cwd=SDK,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == ""
