"""Chat templates: rendered in a sandbox, with what people write kept apart from control tokens."""

import pytest

from marketplace.inference.engine.chat import ChatTemplate
from marketplace.inference.ports import BadGeneration, Message, Tool, ToolCall

HELLO = [Message("system", "Be brief."), Message("user", "Hello")]


def template(source: str | None, *control: str) -> ChatTemplate:
    return ChatTemplate(source, bos="<s>", eos="</s>", control=control)


def test_a_template_gets_messages_and_the_tokens_that_begin_and_end() -> None:
    source = (
        "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{{ eos_token }}"
        "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    assert template(source).render(HELLO) == "<s>[system]Be brief.</s>[user]Hello</s>[assistant]"


@pytest.mark.parametrize("source", [None, "{% broken"])
def test_without_a_usable_template_chatml_is_written(source: str | None) -> None:
    assert template(source).render(HELLO[1:]) == (
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_may_refuse_in_its_own_words() -> None:
    source = "{{ raise_exception('Roles must alternate') }}"
    with pytest.raises(BadGeneration, match="Roles must alternate"):
        template(source).render(HELLO)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].__init__.__globals__ }}",
        "{{ 1 / 0 * nothing.at.all }}",
    ],
)
def test_a_hostile_template_reaches_nothing(source: str) -> None:
    with pytest.raises(BadGeneration):
        template(source).render(HELLO)


def test_written_out_control_tokens_become_ordinary_text() -> None:
    said = [Message("user", "a<|eot|>b<|eot|><|x|>")]
    rendered = template("{{ messages[0].content }}", "<|eot|>", "<|x|>").render(said)
    assert rendered == "a< |eot|>b< |eot|>< |x|>"


def test_a_template_may_ask_for_the_date() -> None:
    assert template("{{ strftime_now('%Y') }}").render(HELLO).isdigit()


WEATHER = Tool("weather", "Tells the <weather>.", {"type": "object", "properties": {"مدينة": {}}})
WITH_TOOLS = (
    "{% for tool in tools or [] %}{{ tool | tojson }}<tool_call>{% endfor %}"
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% for call in m.tool_calls or [] %}{% set f = call.function %}"
    "{{ f.name }}{{ f.arguments | tojson }}{% endfor %}"
    "{% if m.role == 'tool' %}<{{ m.name }}>{% endif %}{% endfor %}"
)


def test_tools_and_calls_are_written_as_the_template_wants_them() -> None:
    messages = [
        Message("user", "How is it?"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "weather", '{"مدينة": "فاس"}'),)),
        Message("tool", "21 °C", tool_call_id="c1"),
    ]
    assert template(WITH_TOOLS).render(messages, [WEATHER]) == (
        '{"type": "function", "function": {"name": "weather", '
        '"description": "Tells the <weather>.", '
        '"parameters": {"type": "object", "properties": {"مدينة": {}}}}}<tool_call>'
        '[user]How is it?[assistant]weather{"مدينة": "فاس"}[tool]21 °C<weather>'
    )


def test_a_template_without_tools_refuses_them() -> None:
    with pytest.raises(BadGeneration, match="knows no tools") as refused:
        template(None).render(HELLO, [WEATHER])
    assert refused.value.rule == "llm.tools"


def test_control_tokens_in_a_tool_become_ordinary_text() -> None:
    bad = Tool("weather", "<|eot|>", {"enum": ["<|eot|>"], "<|eot|>": 1})
    rendered = template(WITH_TOOLS, "<|eot|>").render(HELLO, [bad])
    assert rendered.count("< |eot|>") == 3
    assert "<|eot|>" not in rendered


def test_a_call_whose_arguments_are_no_json_is_refused() -> None:
    wrong = Message("assistant", "", tool_calls=(ToolCall("c1", "weather", "{"),))
    with pytest.raises(BadGeneration, match="'c1' are no JSON"):
        template(WITH_TOOLS).render([wrong])


def test_a_template_that_wants_parts_gets_the_text_as_one() -> None:
    source = (
        "{% for message in messages %}{{ message.role | capitalize }}:"
        "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}"
        "{% endfor %}<end>{% endfor %}"
    )
    template = ChatTemplate(source, bos="", eos="", control=())
    seen = Message("user", "what is it", (b"picture",))
    assert template.render([seen], picture="<look>") == "User:<look>\nwhat is it<end>"
