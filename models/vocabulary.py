"""The tokenizer: a small byte-pair vocabulary trained on the grammar itself."""

import io
from collections.abc import Iterator
from pathlib import Path
from random import Random

import sentencepiece

from models.grammar.curriculum import lesson
from models.grammar.example import Example

VOCABULARY_SIZE = 3072
SAMPLE_SIZE = 60_000
# Each role's opening is one token, newline included, so a conversation costs few tokens.
CONTROLS = {
    "<system>": "<|im_start|>system\n",
    "<user>": "<|im_start|>user\n",
    "<assistant>": "<|im_start|>assistant\n",
    "<end>": "<|im_end|>\n",
}
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def _lines(rng: Random) -> Iterator[str]:
    for _ in range(SAMPLE_SIZE):
        example = lesson(rng)
        for text in (example.system, example.user, example.answer):
            yield from (line for line in text.split("\n") if line)


def train_vocabulary(path: Path, seed: int) -> None:
    """Train the vocabulary on a sample of lessons and write the sentencepiece file."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_lines(Random(seed)),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY_SIZE,
        character_coverage=1.0,
        byte_fallback=True,
        split_digits=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        control_symbols=list(CONTROLS),
        required_chars="".join(map(chr, range(33, 127))),
        num_threads=1,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


class Vocabulary:
    """Turns examples into token ids."""

    def __init__(self, path: Path) -> None:
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
        ids = {name: self.pieces.piece_to_id(name) for name in CONTROLS}
        self.system, self.user, self.assistant, self.end = ids.values()

    def encode(self, example: Example) -> tuple[list[int], int]:
        """Give the tokens of a conversation and the position where its answer starts."""
        tokens = []
        if example.system:
            tokens += [self.system, *self.pieces.encode(example.system), self.end]
        tokens += [self.user, *self.pieces.encode(example.user), self.end, self.assistant]
        return [*tokens, *self.pieces.encode(example.answer), self.end], len(tokens)
