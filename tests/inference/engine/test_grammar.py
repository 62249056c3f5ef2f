"""Grammars under the real llama.cpp: accepted, kept by random models, and never a danger to it."""

import ctypes
import json
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.inference.grammars.schemas import schema_gbnf
from marketplace.inference.ports import BadGeneration
from tests.inference.conftest import require_llama
from tests.inference.engine.conftest import type_open
from tests.inference.engines import end_of, make_generation, text_of
from tests.inference.gbnf import rules_of, write
from tests.inference.grammars.test_schemas import NODE, schemas

EXPLOSIVE_DEPTH = 18


@pytest.fixture(scope="module")
def model(noise: Path) -> Any:
    """The random model, for its vocabulary."""
    require_llama()
    import_module("marketplace.inference.engine.library").start()
    loaded = import_module("marketplace.inference.engine.model").Model(noise, gpu_layers=0)
    yield loaded
    loaded.close()


def explosive() -> dict[str, Any]:
    """A schema that doubles the ways in which it can be read at every level."""
    levels: dict[str, Any] = {f"a{EXPLOSIVE_DEPTH}": {"type": "integer"}}
    for level in range(EXPLOSIVE_DEPTH):
        inner = {"x": {"$ref": f"#/$defs/a{level + 1}"}}
        one = {"type": "object", "properties": inner, "required": ["x"]}
        two = {"type": "object", "properties": {**inner, "y": {}}, "required": ["x", "y"]}
        levels[f"a{level}"] = {"anyOf": [one, two]}
    return {"$ref": "#/$defs/a0", "$defs": levels}


@settings(max_examples=60)
@given(schemas, st.integers(0, 2**32))
def test_llama_cpp_takes_every_grammar_and_every_text_it_writes(
    model: Any, schema: dict[str, Any], seed: int
) -> None:
    grammar = import_module("marketplace.inference.engine.grammar")
    llama, text = grammar.llama, schema_gbnf(schema)
    sampler = grammar.parse(model, text)
    candidates = import_module("marketplace.inference.engine.sampling").Candidates(model.vocab_size)
    written = write(rules_of(text), Random(seed))
    for token in model.tokens(written, reads_control=False)[1:]:
        array = candidates.single(int(token))
        llama.llama_sampler_apply(sampler, ctypes.byref(array))
        assert candidates.single_is_allowed, (written, model.vocabulary.pieces[token])
        llama.llama_sampler_accept(sampler, int(token))
    llama.llama_sampler_free(sampler)


def test_a_random_model_keeps_random_schemas(bench: type_open, noise: Path) -> None:
    wanted = [
        NODE,
        {"type": "array", "items": {"enum": ["é", "مرحبا", 1.5, None]}, "minItems": 3},
        {"type": "object", "properties": {"a": {"type": "number"}, "b": {"const": {"c": []}}}},
        {"type": "string", "pattern": "^[^a-z]{4}$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    ]
    answers = bench(noise).answer(
        *[
            make_generation(
                json_schema=schema, temperature=1.5, top_k=1000, seed=seed, max_tokens=500
            )
            for schema in wanted
            for seed in range(4)
        ]
    )
    for number, events in enumerate(answers):
        if end_of(events).reason == "stop":
            jsonschema.validate(json.loads(text_of(events)), wanted[number // 4])
    assert sum(end_of(events).reason == "stop" for events in answers) >= 10


@given(st.text('root:="a|()[]{}*+?<>^\\ \n0,19', max_size=60))
def test_any_text_is_a_grammar_or_refused(model: Any, text: str) -> None:
    grammar = import_module("marketplace.inference.engine.grammar")
    try:
        sampler = grammar.parse(model, f"root ::= {text}")
    except BadGeneration:
        return
    grammar.llama.llama_sampler_free(sampler)


def test_a_control_token_does_not_stand_for_the_text_it_looks_like(
    bench: type_open, noise: Path
) -> None:
    opened = bench(noise)
    for temperature in (0.0, 1.5):
        grammar = 'root ::= "<|im_start|>" "a"'
        wanted = make_generation(grammar=grammar, temperature=temperature, max_tokens=20)
        [events] = opened.answer(wanted)
        assert text_of(events) == "<|im_start|>a"


def test_a_schema_that_explodes_ends_its_own_answer_and_no_other(
    bench: type_open, noise: Path
) -> None:
    opened = bench(noise)
    opened.engine.submit(0, make_generation(json_schema=explosive(), max_tokens=400))
    opened.engine.submit(1, make_generation(max_tokens=60))
    refused, other = opened.collect(2)
    assert isinstance(refused[-1], BadGeneration)
    assert "in too many ways" in refused[-1].message
    assert end_of(other).usage.generated_tokens == 60
