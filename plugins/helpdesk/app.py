"""Helpdesk: a customer's message sorted at a glance, and a reply ready to be sent."""

import json
from collections.abc import Iterator
from typing import Annotated

from caravan import App, Context, Field, Markdown

app = App()

SORT = "Sort this customer message. Answer with JSON alone: mood, topic and urgency."
REPLY = "Draft a polite reply to this customer message."
CHOICES = {
    "mood": ["calm", "happy", "worried", "angry"],
    "topic": ["delivery", "refund", "billing", "account", "fault", "cancel", "question", "other"],
    "urgency": ["low", "normal", "high"],
}
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string", "enum": words} for name, words in CHOICES.items()},
    "required": list(CHOICES),
    "additionalProperties": False,
}
Message = Annotated[
    str,
    Field(
        label="The customer's message",
        multiline=True,
        max_length=4000,
        examples=("Hello. My wool rug has not arrived. I am worried. I need it by tomorrow.",),
    ),
]


@app.action("Sort and reply")
def answer(ctx: Context, message: Message) -> Iterator[Markdown]:
    """Find the topic, the urgency and the mood of a message, and draft the reply."""
    ctx.require("helpdesk")
    text = " ".join(message.split())
    found = json.loads(
        ctx.llm.complete(text, system=SORT, max_tokens=60, temperature=0, json_schema=SCHEMA)
    )
    yield Markdown(
        "| Topic | Urgency | Mood |\n| --- | --- | --- |\n"
        f"| {found['topic']} | {found['urgency']} | {found['mood']} |\n\n### Reply\n\n"
    )
    for piece in ctx.llm.stream(text, system=REPLY, max_tokens=400, temperature=0):
        yield Markdown(piece)
