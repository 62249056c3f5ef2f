"""What an app says to the model: its payloads, checked and turned into the model's terms. Pure."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from marketplace.inference.ports import Message, Scored, Tool, ToolCall
from marketplace.sandbox.ports import Refused

MAX_MESSAGES = 64
MAX_PROMPT_CHARS = 100_000
MAX_TEXTS = 128
MAX_LOGPROBS = 20
DECIMALS = 6  # of a vector's numbers; a model's own noise is larger


def messages(payload: Mapping[str, Any]) -> tuple[Message, ...]:
    """The conversation of a payload. Raises: Refused, saying what is wrong with it."""
    turns = payload.get("messages")
    if not isinstance(turns, list) or not 0 < len(turns) <= MAX_MESSAGES:
        raise Refused("llm.messages", f"A prompt has 1 to {MAX_MESSAGES} messages.")
    parts = tuple(_message(turn) for turn in turns)
    if sum(len(part.content) for part in parts) > MAX_PROMPT_CHARS:
        raise Refused("llm.too-long", "A prompt may have 100,000 characters at most.")
    return parts


def tools(payload: Mapping[str, Any]) -> tuple[Tool, ...]:
    """The functions a payload offers; plain, or in OpenAI's wrapping. Raises: Refused."""
    offered = payload.get("tools")
    if offered is None:
        return ()
    if not isinstance(offered, list):
        raise _bad_tool()
    return tuple(_tool(each) for each in offered)


def tool_choice(payload: Mapping[str, Any]) -> str:
    """Which tool has to be called; plain, or in OpenAI's wrapping. Raises: Refused."""
    choice = payload.get("tool_choice")
    if choice is None or not payload.get("tools"):
        return "auto"
    if isinstance(choice, dict):
        function = choice.get("function", choice)
        choice = function.get("name") if isinstance(function, dict) else None
    if not isinstance(choice, str):
        raise Refused("llm.tools", "tool_choice is auto, required, or the name of a tool.")
    return choice


def logprobs(payload: Mapping[str, Any]) -> int | None:
    """How many alternatives a payload wants told with each token. Raises: Refused."""
    asked = payload.get("logprobs")
    if asked is None:
        return None
    if not isinstance(asked, int) or isinstance(asked, bool) or not 0 <= asked <= MAX_LOGPROBS:
        raise Refused(
            "llm.logprobs",
            f"logprobs is a whole number from 0 to {MAX_LOGPROBS}: of how many of the likeliest "
            "tokens the log probability is told beside that of each token of the answer.",
        )
    return asked


def score(scored: Scored) -> dict[str, Any]:
    """How likely a token was, as an app gets it."""
    return {
        "token": scored.token,
        "logprob": round(scored.logprob, DECIMALS),
        "likeliest": [[text, round(logprob, DECIMALS)] for text, logprob in scored.likeliest],
    }


def texts(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of a payload that are to become vectors. Raises: Refused."""
    given = payload.get("texts")
    if (
        not isinstance(given, list)
        or not 0 < len(given) <= MAX_TEXTS
        or not all(isinstance(text, str) and text for text in given)
    ):
        raise Refused(
            "llm.texts", f"texts is a list of 1 to {MAX_TEXTS} texts, none of them empty."
        )
    if sum(map(len, given)) > MAX_PROMPT_CHARS:
        raise Refused("llm.too-long", "The texts may have 100,000 characters together.")
    return tuple(given)


def tool_call(call: ToolCall) -> dict[str, Any]:
    """A call as an app gets it, its arguments an object."""
    return {"id": call.id, "name": call.name, "arguments": json.loads(call.arguments)}


def _message(turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise Refused("llm.messages", 'A message is {"role": "user", "content": "…"}.')
    calls, images = turn.get("tool_calls") or [], turn.get("images") or []
    if not isinstance(calls, list) or not isinstance(images, list):
        raise Refused("llm.messages", "tool_calls and images of a message are lists.")
    answers = turn.get("tool_call_id")
    return Message(
        role=str(turn.get("role", "user")),
        content=str(turn.get("content", "")),
        images=tuple(_image(image) for image in images),
        tool_calls=tuple(_call(call) for call in calls),
        tool_call_id=None if answers is None else str(answers),
    )


def _image(image: Any) -> bytes:
    try:
        return base64.b64decode(image, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Refused("llm.images", "An image is a PNG or JPEG file in base64.") from None


def _call(call: Any) -> ToolCall:
    if not isinstance(call, dict) or not isinstance(call.get("arguments", {}), dict):
        raise Refused("llm.messages", 'A call is {"id": "…", "name": "…", "arguments": {…}}.')
    arguments = json.dumps(call.get("arguments", {}))
    return ToolCall(str(call.get("id", "")), str(call.get("name", "")), arguments)


def _tool(offered: Any) -> Tool:
    if not isinstance(offered, dict):
        raise _bad_tool()
    function = offered.get("function", offered)
    if not isinstance(function, dict):
        raise _bad_tool()
    name, parameters = function.get("name"), function.get("parameters", {"type": "object"})
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise _bad_tool()
    return Tool(name, str(function.get("description", "")), parameters)


def _bad_tool() -> Refused:
    return Refused(
        "llm.tools",
        'A tool is {"name": "…", "description": "…", "parameters": {a JSON Schema}}.',
    )
