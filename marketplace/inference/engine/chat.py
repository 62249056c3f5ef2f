"""From a conversation to the one text the model was trained to continue."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from marketplace.inference.ports import BadGeneration, Message, Tool, ToolCall
from marketplace.inference.tool_calls import Dialect, dialect_of
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
        environment.filters["tojson"] = _to_json
        try:
            self._template = environment.from_string(source or FALLBACK)
        except TemplateError:
            # A template we cannot parse must not make the whole model useless.
            self._template = environment.from_string(FALLBACK)
        self.dialect: Dialect | None = dialect_of(source or FALLBACK)
        self._bos, self._eos = bos, eos
        self._wants_parts = not self._shows_texts()
        longest_first = sorted((text for text in control if len(text) > 1), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def render(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, picture: str = ""
    ) -> str:
        """The whole prompt, ready to be tokenised with special tokens parsed.

        Args:
            picture: the text that stands for a picture; each comes before its message's text.

        Raises: BadGeneration when the model's template refuses the conversation, or knows no
            tools.
        """
        if tools and self.dialect is None:
            raise BadGeneration(
                "The chat template of this model knows no tools. Ask without tools, or ask the "
                "operator for a model that has them.",
                rule="llm.tools",
            )
        turns: list[dict[str, Any]] = self._disarm(
            [_turn(message, messages, picture) for message in messages]
        )
        if self._wants_parts:
            turns = [{**turn, "content": _parts(turn["content"])} for turn in turns]
        offered = self._disarm([_function(tool) for tool in tools])
        try:
            return self._template.render(
                messages=turns,
                tools=offered or None,
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

    def _shows_texts(self) -> bool:
        """Whether the template shows a content that is a text, not a list of parts."""
        word = "caravan"
        turn = {"role": "user", "content": word}
        try:
            shown = self._template.render(messages=[turn], bos_token="", eos_token="")
        except Exception:  # noqa: BLE001  (a program; why it fails is told where somebody asks)
            return True
        return word in shown

    def _disarm(self, value: Any) -> Any:
        """The value with every text in it freed of control tokens."""
        # Written-out control tokens would let a text pose as another speaker. A space after the
        # first character leaves it readable and makes it ordinary text.
        if isinstance(value, str):
            return self._control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", value)
        if isinstance(value, Mapping):
            return {self._disarm(key): self._disarm(inner) for key, inner in value.items()}
        return [self._disarm(inner) for inner in value] if isinstance(value, list) else value


def _turn(message: Message, messages: Sequence[Message], picture: str) -> dict[str, Any]:
    shown = f"{picture}\n" * len(message.images) if picture else ""
    turn: dict[str, Any] = {"role": message.role, "content": shown + message.content}
    if message.tool_calls:
        turn["tool_calls"] = [_called(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
        calls = (call for other in messages for call in other.tool_calls)
        named = (call.name for call in calls if call.id == message.tool_call_id)
        turn["name"] = next(named, "")
    return turn


def _parts(content: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": content}]


def _called(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError) as error:
        raise BadGeneration(
            f"The arguments of the call {call.id!r:.40} are no JSON: {error}.", rule="llm.tools"
        ) from error
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _function(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _to_json(value: Any, indent: int | None = None) -> str:
    # Jinja's own filter writes for HTML, which is not what models were trained on.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _today(pattern: str) -> str:
    now: datetime = utc_now()
    return now.strftime(pattern)
