"""Grammars that constrain an answer: GBNF as given, or made from a JSON schema."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from marketplace.inference.engine.library import llama
from marketplace.inference.engine.model import Model
from marketplace.inference.ports import BadGeneration, Generation

LARGEST_GRAMMAR_BYTES = 64 * 1024
LARGEST_SCHEMA_BYTES = 32 * 1024

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
    text = json.dumps(schema)
    if len(text) > LARGEST_SCHEMA_BYTES:
        raise BadGeneration(
            f"The JSON schema has {len(text)} bytes; {LARGEST_SCHEMA_BYTES} are allowed.",
            rule="llm.schema",
        )
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
