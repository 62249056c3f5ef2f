"""An app is a set of actions; each is a plain function with typed parameters.

The store's runtime needs two methods of the module's `app`:

- `App.describe()` gives `{"actions": [{"name", "title", "doc", "input_schema"}]}`; each
  `input_schema` is JSON Schema 2020-12, and every property carries
  `"x-ui": {"widget", "label", "placeholder"?, "step"?}` for the form.
- `App.run(action, values, context)` yields the payloads of `output.write`, one by one:
  `{"kind": "text", "text"}` (with `"format": "markdown"` where it is), `{"kind": "json",
  "value"}`, `{"kind": "table", "columns": [{"name", "label", "type"}], "rows"}`, `{"kind":
  "image", "media_type", "base64", "alt"}`, `{"kind": "chart", "type": "line" or "bar", "title",
  "x", "series": [{"name", "values"}]}`, `{"kind": "slot", "name"}`. What is wrong with the input
  or the app is raised.
"""

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from caravan import schema
from caravan.context import Context
from caravan.errors import InvalidAction, InvalidInput, UnknownAction
from caravan.results import items

Function = TypeVar("Function", bound=Callable[..., Any])
ACTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Action:
    """One thing an app does."""

    name: str
    title: str
    doc: str
    function: Callable[..., Any]
    context_name: str | None
    parameters: Mapping[str, schema.Parameter]

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the values this action takes."""
        return {"$schema": schema.DIALECT, **schema.object_schema(self.parameters)}

    def arguments(self, values: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The function's keyword arguments. Raises: InvalidInput."""
        if problems := schema.check(dict(values), self.input_schema):
            raise InvalidInput(problems)
        given = {
            name: schema.argument(value, self.parameters[name].annotation)
            for name, value in values.items()
        }
        return given | ({self.context_name: context} if self.context_name else {})


class App:
    """Make one in the entry module and name it `app`."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}

    @property
    def actions(self) -> Mapping[str, Action]:
        """The actions by name, in the order they were declared."""
        return dict(self._actions)

    def action(self, title: str) -> Callable[[Function], Function]:
        """Make a function an action; `title` is the form's heading and button.

        The function's parameters become the form, its docstring the explanation.
        Raises: InvalidAction, when the module is imported, so a mistake shows at once.
        """

        def declare(function: Function) -> Function:
            action = _read(title, function)
            if action.name in self._actions:
                raise InvalidAction(f"There are two actions “{action.name}”; rename one.")
            self._actions[action.name] = action
            return function

        return declare

    def describe(self) -> dict[str, Any]:
        """Everything a form, an API or a tool needs to know, as plain JSON."""
        return {
            "actions": [
                {
                    "name": action.name,
                    "title": action.title,
                    "doc": action.doc,
                    "input_schema": action.input_schema,
                }
                for action in self._actions.values()
            ]
        }

    def run(
        self, action: str, values: Mapping[str, Any], context: Context
    ) -> Iterator[dict[str, Any]]:
        """Perform one action, yielding its output items as they are made.

        Raises: UnknownAction, InvalidInput, HostError, PaymentRequired, or what the app raises.
        """
        found = self._actions.get(action)
        if found is None:
            known = ", ".join(self._actions) or "none"
            raise UnknownAction(f"This app has no action “{action}”; it has: {known}.")
        result = found.function(**found.arguments(values, context))
        yield from items(result, lambda form: context.ask(form.answer, form.title))


def _read(title: str, function: Callable[..., Any]) -> Action:
    name = function.__name__
    if not ACTION_NAME.fullmatch(name):
        raise InvalidAction(f"“{name}” cannot name an action: use small letters, digits and _.")
    if not isinstance(title, str) or not title.strip():
        raise InvalidAction(f"“{name}” needs a title: @app.action(“What it does”).")
    hints = typing.get_type_hints(function, include_extras=True)
    context_name = None
    parameters: dict[str, schema.Parameter] = {}
    for each in inspect.signature(function).parameters.values():
        if each.kind not in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}:
            raise InvalidAction(f"“{name}” cannot take “{each}”; name every parameter.")
        annotation = hints.get(each.name)
        if annotation is Context or (annotation is None and each.name == "ctx"):
            context_name = each.name
        elif annotation is None:
            raise InvalidAction(f"“{each.name}” of “{name}” needs a type, such as `: str`.")
        else:
            default = schema.MISSING if each.default is each.empty else each.default
            parameters[each.name] = schema.parameter(each.name, annotation, default)
    doc = inspect.cleandoc(function.__doc__ or "")
    return Action(name, title.strip(), doc, function, context_name, parameters)
