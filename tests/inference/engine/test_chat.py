"""Chat templates: rendered in a sandbox, with what people write kept apart from control tokens."""

import pytest

from marketplace.inference.engine.chat import ChatTemplate
from marketplace.inference.ports import BadGeneration, Message

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
