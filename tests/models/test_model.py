"""The committed GGUF file: its size, its numbers, its words, and what it was taught."""

import json
from pathlib import Path
from typing import Any

import gguf
import jinja2
import llama_cpp
import numpy as np
import numpy.typing as npt
import pytest

from models.evaluate import MODEL, DemoModel, held_out, is_right, outside
from models.grammar import helpdesk, phrasebook, smalltalk

Array = npt.NDArray[np.float32]
SAMPLE = 40
MOST_BYTES = 10 * 2**20


@pytest.fixture(scope="module")
def model() -> DemoModel:
    return DemoModel()


def field(reader: gguf.GGUFReader, name: str) -> Any:
    found = reader.get_field(name)
    assert found is not None
    return found.contents()


def normed(x: Array, weight: Array) -> Array:
    scaled: Array = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * weight
    return scaled


def rotated(x: Array, base: float) -> Array:
    """Turn neighbouring pairs of every head [length, heads, width] by their position."""
    length, _, width = x.shape
    angles = np.outer(np.arange(length), base ** (-np.arange(0, width, 2) / width))[:, None, :]
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = np.empty_like(x)
    turned[..., 0::2] = even * np.cos(angles) - odd * np.sin(angles)
    turned[..., 1::2] = even * np.sin(angles) + odd * np.cos(angles)
    return turned


def logits_of(path: Path, tokens: list[int]) -> Array:
    """Compute the logits after each token from the file's numbers alone."""
    reader = gguf.GGUFReader(path)
    weights = {tensor.name: np.asarray(tensor.data, np.float32) for tensor in reader.tensors}
    heads, base = field(reader, "llama.attention.head_count"), field(reader, "llama.rope.freq_base")
    x = weights["token_embd.weight"][tokens]
    length, width = x.shape
    future = np.triu(np.full((length, length), -np.inf, np.float32), 1)
    for layer in range(field(reader, "llama.block_count")):
        own = {
            name.removeprefix(f"blk.{layer}.").removesuffix(".weight"): weight
            for name, weight in weights.items()
            if name.startswith(f"blk.{layer}.")
        }
        y = normed(x, own["attn_norm"])
        split = (length, heads, width // heads)
        q = rotated((y @ own["attn_q"].T).reshape(split), base)
        k = rotated((y @ own["attn_k"].T).reshape(split), base)
        v = (y @ own["attn_v"].T).reshape(split)
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(width // heads) + future
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        x = x + np.einsum("hij,jhd->ihd", shares, v).reshape(length, width) @ own["attn_output"].T
        y = normed(x, own["ffn_norm"])
        gate = y @ own["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (y @ own["ffn_up"].T)) @ own["ffn_down"].T
    logits: Array = normed(x, weights["output_norm.weight"]) @ weights["token_embd.weight"].T
    return logits


def test_the_file_is_small_enough_to_live_in_the_repository() -> None:
    assert MODEL.stat().st_size <= MOST_BYTES


def test_llama_cpp_computes_what_the_numbers_in_the_file_say() -> None:
    llama = llama_cpp.Llama(str(MODEL), n_ctx=64, n_threads=1, logits_all=True, verbose=False)
    text = "<|im_start|>user\nWhere is the train station?<|im_end|>\n<|im_start|>assistant\n"
    tokens = llama.tokenize(text.encode(), add_bos=False, special=True)[:16]
    llama.eval(tokens)
    theirs = np.asarray(llama.scores[: len(tokens)])
    assert np.abs(theirs - logits_of(MODEL, tokens)).max() < 0.02


@pytest.mark.parametrize(
    "text",
    [
        "Où est la gare ?",
        "¿Dónde está el baño?",
        "أين محطة القطار؟",
        "Price: €12.50, 3 + “ñandú” 🐪",
        "two  spaces and a tab\there",
        "line\n\nline",
    ],
)
def test_any_text_survives_the_tokenizer(model: DemoModel, text: str) -> None:
    tokens = model.llama.tokenize(text.encode(), add_bos=False, special=False)
    assert model.llama.detokenize(tokens).decode() == text


def test_a_conversation_opens_and_closes_with_single_tokens(model: DemoModel) -> None:
    template = jinja2.Template(model.llama.metadata["tokenizer.chat_template"])
    rendered = template.render(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
        ],
        add_generation_prompt=True,
    )
    assert rendered == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )
    tokens = model.llama.tokenize(b"<|im_end|>\n<|im_start|>assistant\n", special=True)
    assert len(tokens) == 2
    assert tokens[0] == model.llama.token_eos()


@pytest.mark.parametrize(
    ("app", "least"), [("phrasebook", 0.95), ("helpdesk", 0.95), ("copywriter", 0.90)]
)
def test_held_out_combinations_are_answered_right(model: DemoModel, app: str, least: float) -> None:
    examples = held_out(app, SAMPLE, seed=1)
    wrong = [e.user for e in examples if not is_right(e, model.answers(e))]
    assert 1 - len(wrong) / SAMPLE >= least, wrong


def test_what_lies_outside_is_answered_with_the_way_to_a_real_model(model: DemoModel) -> None:
    examples = outside(20, seed=1)
    right = sum(is_right(e, model.answers(e)) for e in examples)
    assert right / len(examples) >= 0.8


def test_it_says_what_the_store_is(model: DemoModel) -> None:
    [what] = [answer for asked, answer in smalltalk.PAIRS if "what is caravan" in asked]
    assert model.answer("", "What is Caravan?") == what


def test_a_hurried_hand_gets_the_same_translation(model: DemoModel) -> None:
    system = phrasebook.system_for("French")
    typed = (
        "Where is the train station?",
        "where is the train station",
        "Where is the train station",
    )
    assert {model.answer(system, text) for text in typed} == {"Où est la gare ?"}


def test_a_sorted_message_is_json_of_the_schema_whatever_is_written(model: DemoModel) -> None:
    answer = model.answer(helpdesk.SORT_SYSTEM, "zorble 42 {[", helpdesk.SCHEMA)
    assert list(json.loads(answer)) == ["mood", "topic", "urgency"]
