"""From a conversation to the one text the model was trained to continue."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from marketplace.inference.ports import BadGeneration, Message
from marketplace.kernel.clock import utc_now

# What a model without a template of its own gets: ChatML, which most fine-tunes have seen.
FALLBACK = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ChatTemplate:
    """A model's own chat template, rendered in a sandbox.

    Args:
        source: the Jinja text from the GGUF, or None.
        bos: text of the token that begins a text, empty if the model has none.
        eos: text of the token that ends a text.
        control: texts that stand for control tokens; what people write may not contain them.
    """

    def __init__(self, source: str | None, *, bos: str, eos: str, control: Sequence[str]) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _today
        try:
            self._template = environment.from_string(source or FALLBACK)
        except TemplateError:
            # A template we cannot parse must not make the whole model useless.
            self._template = environment.from_string(FALLBACK)
        self._bos, self._eos = bos, eos
        longest_first = sorted((text for text in control if len(text) > 1), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def render(self, messages: Sequence[Message]) -> str:
        """The whole prompt, ready to be tokenised with special tokens parsed.

        Raises: BadGeneration when the model's template refuses the conversation.
        """
        turns = [
            {"role": message.role, "content": self._disarm(message.content)} for message in messages
        ]
        try:
            return self._template.render(
                messages=turns,
                add_generation_prompt=True,
                bos_token=self._bos,
                eos_token=self._eos,
            )
        # A template is the model maker's program: it may fail in any way a program can.
        except Exception as error:
            raise BadGeneration(
                f"The model's chat template refuses these messages: {error}. "
                "Send at most one system message first, then user and assistant in turn.",
                rule="llm.template",
            ) from error

    def _disarm(self, content: str) -> str:
        # Written-out control tokens would let a text pose as another speaker. A space after the
        # first character leaves it readable and makes it ordinary text.
        return self._control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", content)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _today(pattern: str) -> str:
    now: datetime = utc_now()
    return now.strftime(pattern)
