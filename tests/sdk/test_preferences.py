"""From `[[setting]]` to a form, and to what an app has."""

import pytest
from caravan import preferences
from jsonschema import Draft202012Validator

TOKEN = {
    "name": "token",
    "type": "secret",
    "label": "Token",
    "required": True,
    "inject": "header:Authorization",
    "host": "example.org",
}
SETTINGS = [
    {"name": "tone", "type": "choice", "label": "Tone", "choices": ["dry", "warm"]},
    {"name": "count", "type": "integer", "label": "How many", "default": 0},
    {"name": "loud", "type": "boolean", "label": "Loud", "default": False, "description": "Well?"},
    TOKEN,
]


def test_a_form_has_a_field_of_its_kind_for_each_setting() -> None:
    schema = preferences.schema_of(SETTINGS)
    Draft202012Validator.check_schema(schema)
    fields = schema["properties"]
    assert fields["tone"]["enum"] == ["dry", "warm"]
    assert (fields["count"]["type"], fields["count"]["default"]) == ("integer", 0)
    assert (fields["loud"]["x-ui"]["widget"], fields["loud"]["description"]) == ("switch", "Well?")
    assert (fields["token"]["writeOnly"], fields["token"]["x-ui"]["widget"]) == (True, "password")


def test_an_app_has_what_was_given_else_the_default_and_of_secrets_placeholders() -> None:
    known = preferences.known_to_app(SETTINGS, {"tone": "dry"}, ["token"])
    assert known == {"tone": "dry", "count": 0, "loud": False, "token": "{{secret:token}}"}
    assert preferences.missing(SETTINGS, known) == []


def test_a_secret_given_as_a_plain_value_is_not_passed_on() -> None:
    known = preferences.known_to_app([TOKEN], {"token": "hunter2"}, [])
    assert known == {}
    assert preferences.missing([TOKEN], known) == [TOKEN]


@pytest.mark.parametrize("secret", ["", "two words", "line\r\nHost: a", "é", "سر", "\x7f"])
def test_what_no_header_can_hold_is_no_secret(secret: str) -> None:
    assert not preferences.is_sendable(secret)
    assert preferences.is_sendable("Zm9v+/=~!")
