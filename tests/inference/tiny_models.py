"""Tiny GGUF models for tests: one that recites the alphabet, and one of random weights."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
PIECES = ["▁", *LETTERS, *[str(digit) for digit in range(10)], *list('{}[]":,.-'), "▁é"]
TOKENS = SPECIAL + BYTES + PIECES
END = TOKENS.index("<|im_end|>")
NEWLINE = TOKENS.index("<0x0A>")
WIDTH, HEADS, LAYERS, HIDDEN, CONTEXT = 64, 4, 2, 64, 32768

type_weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Extra:
    """What a model has beyond the usual: more tokens, a template of its own, odd positions."""

    pieces: list[str] = field(default_factory=list)
    template: str = TEMPLATE
    control: str = ""
    sections: bool = False


def write_alphabet(path: Path, *, licence: str | None = None, template: str = TEMPLATE) -> Path:
    """A model that answers everything with `abc…xyz` and then ends.

    Attention and feed-forward are zero, so what follows a token depends on that token alone:
    the output row of its successor is its own embedding.
    """
    rng = np.random.default_rng(1)
    embedding = rng.standard_normal((len(TOKENS), WIDTH)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    output = np.zeros_like(embedding)
    chain = [NEWLINE, *(TOKENS.index(letter) for letter in LETTERS), END]
    for token, successor in pairwise(chain):
        output[successor] = embedding[token]
    zeros = {name: np.zeros(shape, np.float32) for name, shape in _layer_shapes().items()}
    extra = Extra(template=template)
    _write(path, "Alphabet", embedding, output, [zeros] * LAYERS, licence=licence, extra=extra)
    return path


def write_script(path: Path, script: list[str], *, template: str, control: str = "") -> Path:
    """A model that answers everything with the pieces of a script, each piece a token of its own.

    Args:
        template: its chat template, which must end in a new line.
        control: the one of the pieces that is a control token.
    """
    rng = np.random.default_rng(2)
    tokens = [*TOKENS, *script]
    embedding = rng.standard_normal((len(tokens), WIDTH)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    output = np.zeros_like(embedding)
    chain = [NEWLINE, *range(len(TOKENS), len(tokens)), END]
    for token, successor in pairwise(chain):
        output[successor] = embedding[token]
    zeros = {name: np.zeros(shape, np.float32) for name, shape in _layer_shapes().items()}
    extra = Extra(script, template, control)
    _write(path, "Script", embedding, output, [zeros] * LAYERS, licence=None, extra=extra)
    return path


def write_noise(path: Path, *, seed: int = 7, sections: bool = False) -> Path:
    """A model of random weights: its answers mean nothing, but depend on every token before.

    Greedy, it never ends by itself: the tokens that end an answer have logits of zero.

    Args:
        sections: whether it says that it counts the places of pictures in rows and columns.
    """
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...], scale: float) -> type_weights:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    layers = [
        {name: draw(shape, 0.08) for name, shape in _layer_shapes().items()} for _ in range(LAYERS)
    ]
    embedding = draw((len(TOKENS), WIDTH), 1.0)
    output = draw((len(TOKENS), WIDTH), 0.6)
    output[[TOKENS.index("</s>"), END]] = 0.0
    extra = Extra(sections=sections)
    _write(path, "Noise", embedding, output, layers, licence=None, extra=extra)
    return path


def _layer_shapes() -> dict[str, tuple[int, ...]]:
    square = (WIDTH, WIDTH)
    return {
        **dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), square),
        "ffn_gate": (HIDDEN, WIDTH),
        "ffn_up": (HIDDEN, WIDTH),
        "ffn_down": (WIDTH, HIDDEN),
    }


def _write(
    path: Path,
    name: str,
    embedding: type_weights,
    output: type_weights,
    layers: list[dict[str, type_weights]],
    *,
    licence: str | None,
    extra: Extra = Extra(),
) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    if licence is not None:
        writer.add_license(licence)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS) + len(extra.pieces))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if extra.sections:
        writer.add_rope_dimension_sections([2, 3, 3, 0])
    _write_tokeniser(writer, extra)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for index, weights in enumerate(layers):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{index}.{norm}.weight", np.ones(WIDTH, np.float32))
        for key, tensor in weights.items():
            writer.add_tensor(f"blk.{index}.{key}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_tokeniser(writer: gguf.GGUFWriter, extra: Extra) -> None:
    normal, unknown, control, byte = (
        gguf.TokenType.NORMAL,
        gguf.TokenType.UNKNOWN,
        gguf.TokenType.CONTROL,
        gguf.TokenType.BYTE,
    )
    kinds = [unknown] + [control] * (len(SPECIAL) - 1) + [byte] * 256 + [normal] * len(PIECES)
    kinds += [control if piece == extra.control else normal for piece in extra.pieces]
    tokens = TOKENS + [piece.replace(" ", "▁") for piece in extra.pieces]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(index) for index in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_eot_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(extra.template)
