"""The grammars that constrain an answer, as llama.cpp reads them: checked before anything runs."""

from typing import Any

from marketplace.inference.engine.library import llama
from marketplace.inference.engine.model import Model
from marketplace.inference.grammars.schemas import schema_gbnf
from marketplace.inference.ports import BadGeneration, Generation

LARGEST_GRAMMAR_BYTES = 64 * 1024
MOST_BRACKETS = 4000  # llama.cpp calls itself for each; too many would end the process


def constraint(model: Model, generation: Generation) -> Any:
    """llama.cpp's sampler of what an answer has to match, or None when it is free.

    The caller frees it.

    Raises: BadGeneration for a schema or grammar that cannot be used.
    """
    schema, grammar = generation.json_schema, generation.grammar
    if schema is not None and grammar is not None:
        raise BadGeneration("Send a JSON schema or a grammar, not both.", rule="llm.grammar")
    if schema is not None:
        sampler = _sampler(model, schema_gbnf(schema))
        if not sampler:
            raise BadGeneration(
                "The JSON schema makes no usable grammar: one of its `$ref` leads back to itself "
                "with nothing in between.",
                rule="llm.schema",
            )
        return sampler
    return None if grammar is None else parse(model, grammar)


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
    if data.count(b"(") > MOST_BRACKETS:
        raise BadGeneration(
            f"The grammar has more than {MOST_BRACKETS} brackets.", rule="llm.grammar"
        )
    sampler = _sampler(model, gbnf)
    if not sampler:
        raise BadGeneration(
            "The grammar cannot be read. Check that it is GBNF, has a rule `root`, "
            "and is not left-recursive.",
            rule="llm.grammar",
        )
    return sampler


def _sampler(model: Model, gbnf: str) -> Any:
    # A refused grammar is a NULL pointer object: falsy, but not None.
    return llama.llama_sampler_init_grammar(model.vocab, gbnf.encode("utf-8", "replace"), b"root")
