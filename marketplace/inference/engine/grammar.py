"""Grammars that constrain an answer: GBNF as given, or made from a JSON schema."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from marketplace.inference.engine.library import llama
from marketplace.inference.engine.model import Model
from marketplace.inference.ports import BadGeneration, Generation

LARGEST_GRAMMAR_BYTES = 64 * 1024
LARGEST_SCHEMA_BYTES = 32 * 1024
LARGEST_COUNT = 1000  # of items or characters a schema may ask for
COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength"})
MOST_QUANTIFIERS = 16
QUANTIFIER = re.compile(r"[*+?]|\{(\d*),?(\d*)\}")
QUANTIFIED_GROUP = re.compile(r"\)[*+?{]")

_schema_to_gbnf: Any = import_module("llama_cpp.llama_grammar").json_schema_to_gbnf


def grammar_text(generation: Generation) -> str | None:
    """The GBNF a generation has to match, or None when its answer is free.

    Raises: BadGeneration for a schema that cannot be turned into a grammar.
    """
    if generation.json_schema is not None and generation.grammar is not None:
        raise BadGeneration("Send a JSON schema or a grammar, not both.", rule="llm.grammar")
    if generation.json_schema is not None:
        return from_schema(generation.json_schema)
    return generation.grammar


def from_schema(schema: Mapping[str, Any]) -> str:
    """The GBNF that writes exactly the JSON values of a schema, as far as GBNF can say it.

    Raises: BadGeneration for what is too large, or no schema.
    """
    try:
        text = json.dumps(schema)
    except RecursionError as error:
        raise BadGeneration("The JSON schema is nested too deep.", rule="llm.schema") from error
    if len(text) > LARGEST_SCHEMA_BYTES:
        raise BadGeneration(
            f"The JSON schema has {len(text)} bytes; {LARGEST_SCHEMA_BYTES} are allowed.",
            rule="llm.schema",
        )
    for key, value in _entries(schema):
        _refuse_explosive(key, value)
    try:
        gbnf: str = _schema_to_gbnf(text)
    # The converter walks what people wrote and fails with whatever it meets on the way.
    except Exception as error:
        raise BadGeneration(
            f"The JSON schema cannot be used as a grammar: {error!r}. "
            "Use objects, arrays, strings, numbers, booleans, enum, const and local $ref.",
            rule="llm.schema",
        ) from error
    return gbnf


def parse(model: Model, gbnf: str) -> Any:
    """llama.cpp's sampler of a grammar; the caller frees it.

    Raises: BadGeneration when llama.cpp refuses the grammar.
    """
    data = gbnf.encode("utf-8", "replace")
    if len(data) > LARGEST_GRAMMAR_BYTES:
        raise BadGeneration(
            f"The grammar has {len(data)} bytes; {LARGEST_GRAMMAR_BYTES} are allowed.",
            rule="llm.grammar",
        )
    sampler = llama.llama_sampler_init_grammar(model.vocab, data, b"root")
    # A refused grammar is a NULL pointer object: falsy, but not None.
    if not sampler:
        raise BadGeneration(
            "The grammar cannot be read. Check that it is GBNF, has a rule `root`, "
            "and is not left-recursive.",
            rule="llm.grammar",
        )
    return sampler


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key), inner
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


def _refuse_explosive(key: str, value: Any) -> None:
    """Raises: BadGeneration for what would make a grammar huge, or slow beyond any use.

    A grammar with many optional parts inside optional parts keeps exponentially many parses
    alive, and llama.cpp cannot be interrupted while it follows them.
    """
    if key in COUNTS and isinstance(value, int | float) and value > LARGEST_COUNT:
        raise BadGeneration(
            f"The JSON schema asks for a `{key}` of {value}; {LARGEST_COUNT} are allowed.",
            rule="llm.schema",
        )
    if key == "pattern" and isinstance(value, str):
        quantifiers = QUANTIFIER.findall(value)
        counts = [int(count) for pair in quantifiers for count in pair if count]
        if (
            len(quantifiers) > MOST_QUANTIFIERS
            or any(count > LARGEST_COUNT for count in counts)
            or QUANTIFIED_GROUP.search(value)
        ):
            raise BadGeneration(
                f"The pattern {value!r:.60} is too involved. Use at most {MOST_QUANTIFIERS} "
                "repetitions, and none of a group.",
                rule="llm.schema",
            )
