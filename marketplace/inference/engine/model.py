"""One loaded GGUF: its weights, its vocabulary as tables, and its way of chatting."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marketplace.inference.engine.chat import ChatTemplate
from marketplace.inference.engine.library import llama, take_last_error
from marketplace.inference.ports import BadGeneration, Message, ModelUnavailable, Tool
from marketplace.inference.prefixes import common_length
from marketplace.inference.tool_calls import MARKS, Dialect

type_tokens = npt.NDArray[np.int32]
CONTROL = 1 << 3  # LLAMA_TOKEN_ATTR_CONTROL
PIECE_BYTES = 512
BEGINNINGS_KEPT = 64
SOMETHING_ELSE = "\N{SYMBOL FOR START OF TEXT}"  # begins no text a person writes


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every token as tables, so that a step needs no call into the library for its text.

    Args:
        pieces: the bytes each token writes; nothing for control tokens.
        ends: whether a token ends the answer.
        silent: the tokens that write nothing and do not end the answer.
        marked: as `pieces`, but with the text of the control tokens that mark calls of tools.
    """

    pieces: tuple[bytes, ...]
    ends: tuple[bool, ...]
    silent: type_tokens
    marked: tuple[bytes, ...]
    control: tuple[str, ...]
    bos: str
    eos: str
    adds_bos: bool


class Model:
    """Weights and vocabulary. `close` frees them; contexts must be closed before."""

    def __init__(self, path: Path, *, gpu_layers: int) -> None:
        """Load a GGUF.

        Args:
            gpu_layers: how many layers go to GPUs, counted from the output; see `placement`.
        Raises: ModelUnavailable with llama.cpp's own complaint.
        """
        self.path = path
        params = llama.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        self._handle: Any = llama.llama_model_load_from_file(str(path).encode(), params)
        if not self._handle:
            raise ModelUnavailable(
                f"llama.cpp cannot load {path.name}: {take_last_error() or 'no reason given'}. "
                "Check the file, or choose another model with `marketplace models use`."
            )
        if llama.llama_model_has_encoder(self._handle):
            self.close()
            raise ModelUnavailable(
                f"{path.name} is not a model that continues text. Choose another model with "
                "`marketplace models use`."
            )
        self.vocab: Any = llama.llama_model_get_vocab(self._handle)
        self.vocab_size: int = llama.llama_vocab_n_tokens(self.vocab)
        self.trained_context: int = llama.llama_model_n_ctx_train(self._handle)
        self.parameters: int = llama.llama_model_n_params(self._handle)
        self.vocabulary = self._read_vocabulary()
        self._beginning = lru_cache(BEGINNINGS_KEPT)(self._beginning_of)
        template = llama.llama_model_chat_template(self._handle, None)
        self._chat = ChatTemplate(
            template.decode("utf-8", "replace") if template else None,
            bos=self.vocabulary.bos,
            eos=self.vocabulary.eos,
            control=self.vocabulary.control,
        )

    @property
    def handle(self) -> Any:
        """llama.cpp's own pointer."""
        return self._handle

    @property
    def name(self) -> str:
        """What the model calls itself, else its file's name."""
        return self._metadata("general.name") or self.path.stem

    @property
    def description(self) -> str:
        """Architecture, size and quantisation in llama.cpp's words."""
        buffer = ctypes.create_string_buffer(256)
        llama.llama_model_desc(self._handle, buffer, 256)
        return buffer.value.decode("utf-8", "replace")

    @property
    def dialect(self) -> Dialect | None:
        """In which way the model calls tools, if it can."""
        return self._chat.dialect

    def prompt(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), opening: str = ""
    ) -> type_tokens:
        """The tokens of a conversation, up to where the answer begins.

        Args:
            opening: how the answer has to begin; it is no part of it.
        Raises: BadGeneration when the chat template refuses it.
        """
        return self.tokens(self.text(messages, tools, opening))

    def text(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        opening: str,
        *,
        picture: str = "",
    ) -> str:
        """As `prompt`, but its text, in which `picture` stands for each picture."""
        text = self._chat.render(messages, tools, picture=picture) + opening
        # The tokeniser adds the first token itself; a template that wrote it would double it.
        if self.vocabulary.adds_bos and self.vocabulary.bos:
            text = text.removeprefix(self.vocabulary.bos)
        return text

    def shared_tokens(
        self, messages: Sequence[Message], tools: Sequence[Tool], prompt: type_tokens
    ) -> int:
        """How many of a prompt's first tokens come from its tools and system messages alone.

        A conversation that begins alike and goes on with something else has those in common.
        """
        system = tuple(takewhile(lambda message: message.role == "system", messages))
        if tools:
            return common_length(prompt, self._beginning_of(system, tools))
        return common_length(prompt, self._beginning(system)) if system else 0

    @property
    def pools_vectors(self) -> bool:
        """Whether the model says how the vectors of its tokens become the vector of a text."""
        return bool(self._metadata(f"{self._metadata('general.architecture')}.pooling_type"))

    def tokens(self, text: str, *, reads_control: bool = True) -> type_tokens:
        """The tokens of a text.

        Args:
            reads_control: whether written-out control tokens become control tokens.
        """
        data = text.encode("utf-8", "replace")
        found = np.empty(len(data) + 2, dtype=np.int32)
        count = llama.llama_tokenize(
            self.vocab,
            data,
            len(data),
            found.ctypes.data_as(llama.llama_token_p),
            len(found),
            True,
            reads_control,
        )
        if count <= 0:
            raise BadGeneration("The text gives no tokens. Send a text that is not empty.")
        return found[:count].copy()

    def close(self) -> None:
        """Free the weights."""
        if self._handle:
            llama.llama_model_free(self._handle)
            self._handle = None

    def _beginning_of(self, system: tuple[Message, ...], tools: Sequence[Tool] = ()) -> type_tokens:
        try:
            return self.prompt([*system, Message("user", SOMETHING_ELSE)], tools)
        except BadGeneration:
            # A template may refuse what nobody asked; then nothing of the prompt is shared.
            return np.empty(0, dtype=np.int32)

    def _metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(512)
        length = llama.llama_model_meta_val_str(self._handle, key.encode(), buffer, 512)
        return buffer.value.decode("utf-8", "replace") if length > 0 else ""

    def _read_vocabulary(self) -> Vocabulary:
        size = range(self.vocab_size)
        vocab = self.vocab
        control = (
            llama.llama_vocab_get_text(vocab, token).decode("utf-8", "replace")
            for token in size
            if llama.llama_vocab_get_attr(vocab, token) & CONTROL
        )
        pieces = tuple(self._piece(token) for token in size)
        ends = tuple(bool(llama.llama_vocab_is_eog(vocab, token)) for token in size)
        silent = [token for token in size if not pieces[token] and not ends[token]]
        return Vocabulary(
            pieces=pieces,
            ends=ends,
            silent=np.array(silent, dtype=np.int32),
            marked=self._marked(pieces),
            control=tuple(control),
            bos=self._token_text(llama.llama_vocab_bos(vocab)),
            eos=self._token_text(llama.llama_vocab_eos(vocab)),
            adds_bos=bool(llama.llama_vocab_get_add_bos(vocab)),
        )

    def _marked(self, pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
        marked = list(pieces)
        for mark in MARKS:
            tokens = self.tokens(mark)[-1:]
            if tokens.size and self._token_text(int(tokens[0])) == mark:
                marked[tokens[0]] = mark.encode()
        return tuple(marked)

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(PIECE_BYTES)
        length = llama.llama_token_to_piece(self.vocab, token, buffer, PIECE_BYTES, 0, False)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = llama.llama_token_to_piece(self.vocab, token, buffer, -length, 0, False)
        return buffer.raw[:length]

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = llama.llama_vocab_get_text(self.vocab, token)
        return text.decode("utf-8", "replace")
