"""Choosing the next token: greedy, or a C chain with top-k first, under a grammar if asked.

Under a grammar the token is chosen freely and only then checked; the expensive mask over the
whole vocabulary is made only when the check fails. A token the grammar rejects is never
accepted: llama.cpp would end the process.

A grammar that can be read in many ways at once gets slower with every way. Checking one token
takes microseconds; where it takes thousands of them, the next steps would take seconds, for
everybody, and the answer is ended instead.
"""

import ctypes
import time
from typing import Any

import numpy as np

from marketplace.inference.engine.context import Context, type_rows
from marketplace.inference.engine.grammar import constraint
from marketplace.inference.engine.library import llama
from marketplace.inference.engine.model import Model, type_tokens
from marketplace.inference.ports import BadGeneration, Generation

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
SEED_MASK = 0xFFFF_FFFF
NO_TOKEN = -1
LONGEST_CHECK_S = 0.005  # of the thread's own time; an honest grammar needs a hundredth of it


class Candidates:
    """All tokens with their logits, as the samplers want them; one for each engine."""

    def __init__(self, vocab_size: int) -> None:
        self._ids = np.arange(vocab_size, dtype=np.int32)
        self._all = np.zeros(vocab_size, dtype=CANDIDATE)
        self._one = np.zeros(1, dtype=CANDIDATE)

    def fill(self, logits: type_rows) -> Any:
        """Every token with its logit. The samplers may reorder it; it lives until the next."""
        self._all["id"] = self._ids
        self._all["logit"] = logits
        return _array(self._all)

    def forbid(self, tokens: type_tokens) -> None:
        """Make tokens impossible; right after `fill`, before a sampler has reordered them."""
        self._all["logit"][tokens] = -np.inf

    def single(self, token: int) -> Any:
        """One token alone."""
        self._one["id"] = token
        self._one["logit"] = 0.0
        return _array(self._one)

    @property
    def single_is_allowed(self) -> bool:
        """Whether a grammar applied to `single` has left its token possible."""
        return bool(np.isfinite(self._one["logit"][0]))

    def best(self) -> int:
        """The likeliest token a grammar has left in `fill`, or NO_TOKEN when it left none."""
        index = int(self._all["logit"].argmax())
        return int(self._all["id"][index]) if np.isfinite(self._all["logit"][index]) else NO_TOKEN


class Sampler:
    """Chooses the tokens of one answer. `close` frees what it holds in C."""

    def __init__(self, model: Model, generation: Generation) -> None:
        """Raises: BadGeneration for a schema or grammar that cannot be used."""
        self._pieces, self._ends = model.vocabulary.pieces, model.vocabulary.ends
        self._silent = model.vocabulary.silent
        self._grammar: Any = constraint(model, generation)
        self._chain: Any = _chain(generation) if generation.temperature > 0 else None
        self.is_greedy = self._chain is None and self._grammar is None

    def pick(
        self, context: Context, batch_index: int, logits: type_rows, candidates: Candidates
    ) -> int:
        """The next token, accepted; NO_TOKEN when the grammar leaves none.

        Args:
            batch_index: where in the computed batch the row of `logits` was asked for.
        Raises: BadGeneration when the grammar has become too slow to follow.
        """
        if self._grammar is None:
            if self._chain is None:
                return int(logits.argmax())
            return int(llama.llama_sampler_sample(self._chain, context.handle, batch_index))
        token = self._choose_freely(logits, candidates)
        if not self._allows(token, candidates):
            token = self._choose_allowed(logits, candidates)
            if token == NO_TOKEN or not self._allows(token, candidates):
                return NO_TOKEN
        if not self._ends[token]:
            llama.llama_sampler_accept(self._grammar, token)
            if self._chain is not None:
                llama.llama_sampler_accept(self._chain, token)
        return token

    def close(self) -> None:
        """Free the C samplers. Safe to call twice."""
        for sampler in (self._chain, self._grammar):
            if sampler is not None:
                llama.llama_sampler_free(sampler)
        self._chain = self._grammar = None

    def _choose_freely(self, logits: type_rows, candidates: Candidates) -> int:
        if self._chain is None:
            return int(logits.argmax())
        return self._apply_chain(candidates.fill(logits))

    def _choose_allowed(self, logits: type_rows, candidates: Candidates) -> int:
        array = candidates.fill(logits)
        # A grammar reads control tokens as what they look like; but nobody would see that text.
        candidates.forbid(self._silent)
        llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        best = candidates.best()
        if best == NO_TOKEN or self._chain is None:
            return best
        return self._apply_chain(array)

    def _apply_chain(self, array: Any) -> int:
        llama.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _allows(self, token: int, candidates: Candidates) -> bool:
        if not self._pieces[token] and not self._ends[token]:
            return False
        array = candidates.single(token)
        began_s = time.thread_time()
        llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        if time.thread_time() - began_s > LONGEST_CHECK_S:
            raise BadGeneration(
                "The JSON schema or grammar can be read in too many ways at once. Let alternatives "
                "differ at their beginning, for example by a first property with a `const`.",
                rule="llm.grammar",
            )
        return candidates.single_is_allowed


def _array(candidates: Any) -> Any:
    return llama.llama_token_data_array(
        data=candidates.ctypes.data_as(llama.llama_token_data_p),
        size=len(candidates),
        selected=-1,
        sorted=False,
    )


def _chain(generation: Generation) -> Any:
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    # top-k first: every sampler after it then works on a few tokens instead of the vocabulary.
    for sampler in (
        llama.llama_sampler_init_top_k(generation.top_k),
        llama.llama_sampler_init_top_p(generation.top_p, 1),
        llama.llama_sampler_init_temp(generation.temperature),
        llama.llama_sampler_init_dist(generation.seed & SEED_MASK),
    ):
        llama.llama_sampler_chain_add(chain, sampler)
    return chain
