"""What an app says of itself is a stranger's word: its actions and their schemas, held to a form.

The store's own process reads these schemas for every form and input. So none may refer to another
place, nest without end, or say what the forms cannot draw.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from caravan.findings import Finding
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

RULE = "sandbox.describe"
KEYWORDS = frozenset(
    """$schema additionalProperties const default description enum examples exclusiveMaximum
    exclusiveMinimum format items maxItems maxLength maximum minItems minLength minimum multipleOf
    pattern properties required title type uniqueItems writeOnly x-ui""".split()
)
DEEPEST = 6
MOST_SCHEMAS = 300
MOST_UI_CHARACTERS = 2_000
MOST_ROWS = 1_000


class Action(BaseModel):
    """One action as an app describes it."""

    model_config = ConfigDict(strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    title: Annotated[str, Field(min_length=1, max_length=100)]
    doc: Annotated[str, Field(max_length=4000)] = ""
    input_schema: dict[str, Any]


class Description(BaseModel):
    """Everything an app says of itself."""

    model_config = ConfigDict(strict=True)

    actions: Annotated[list[Action], Field(min_length=1, max_length=50)]


def check_description(found: Mapping[str, Any]) -> Finding | None:
    """What is wrong with a description, or None."""
    try:
        description = Description.model_validate(dict(found))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return _finding(f"“{where}” of its description is not right: {first['msg']}.")
    names = [action.name for action in description.actions]
    if len(set(names)) < len(names):
        return _finding("Two of its actions have the same name.")
    for action in description.actions:
        if problem := schema_problem(action.input_schema):
            return _finding(f"The input of “{action.name}” {problem}")
    return None


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Why a form cannot be drawn from a schema, the end of a sentence; None where it can."""
    if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), dict):
        return "is not an object with properties."
    level: list[Any] = [schema]
    seen = 0
    for _ in range(DEEPEST):
        seen += len(level)
        if seen > MOST_SCHEMAS:
            return f"has more than {MOST_SCHEMAS} fields."
        for each in level:
            if problem := _level_problem(each):
                return problem
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            break
    else:
        return "is nested too deeply."
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        return "is not a JSON Schema."
    return None


def _level_problem(schema: Any) -> str | None:
    if not isinstance(schema, dict):
        return "has a field without a schema."
    if unknown := sorted(set(map(str, schema)) - KEYWORDS):
        return f"uses “{unknown[0][:40]}”, which no form can draw."
    if not isinstance(schema.get("additionalProperties", False), bool):
        return "says of more properties what they are; only true or false is understood."
    ui = schema.get("x-ui", {})
    if not isinstance(ui, dict) or len(str(ui)) > MOST_UI_CHARACTERS:
        return "has an “x-ui” that is no short table."
    if not all(isinstance(ui.get(name, ""), str) for name in ("label", "placeholder", "widget")):
        return "has an “x-ui” whose texts are none."
    if schema.get("writeOnly") and schema.get("type") != "string":
        return "has a secret that is no text; only a text can be kept out of what is kept."
    accept = ui.get("accept", [])
    if not isinstance(accept, list) or not all(isinstance(each, str) for each in accept):
        return "has an “x-ui” whose “accept” is no list of texts."
    for bound in ("minItems", "maxItems"):
        # The page has so many rows, whoever asks for it.
        if type(schema.get(bound, 0)) is not int or schema.get(bound, 0) > MOST_ROWS:
            return f"has a table with a “{bound}” over {MOST_ROWS}."
    if "default" in schema and not _fits(schema["default"], schema):
        return "has a “default” of another shape than its field."
    if type(ui.get("max_bytes", 1)) is not int:
        return "has an “x-ui” whose “max_bytes” is no whole number."
    return None


def _fits(value: Any, schema: Any) -> bool:
    """Whether a value is an object, a table or a single value where its schema says so."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind == "object":
        inner = schema.get("properties", {})
        return isinstance(value, dict) and all(
            _fits(each, inner[name]) for name, each in value.items() if name in inner
        )
    if kind == "array":
        return isinstance(value, list) and all(_fits(each, schema.get("items")) for each in value)
    return not isinstance(value, dict | list)


def _inside(schema: dict[str, Any]) -> list[Any]:
    """The schemas one level further in."""
    properties = schema.get("properties", {})
    found = list(properties.values()) if isinstance(properties, dict) else [properties]
    return [*found, *(schema[name] for name in ("items",) if name in schema)]


def _finding(message: str) -> Finding:
    fix = "Describe the actions as the SDK does; `caravan dev` shows the form they make."
    return Finding(RULE, "error", f"The app cannot be shown. {message}", fix=fix)
