"""How likely a chosen token was, and what else could have come. Pure."""

from typing import Any

import numpy as np
import numpy.typing as npt

from marketplace.inference.ports import Scored


def scored(
    logits: npt.NDArray[np.float32], token: int, pieces: tuple[bytes, ...], alternatives: int
) -> Scored:
    """The score of `token`, from the one row of logits it was chosen by.

    A log probability is the logit less the logarithm of the sum of all their exponentials: of
    the logits 2, 1 and 0 the first has 2 - log(e² + e + 1) = -0.41. It is the model's own, before
    temperature, top-k and grammar.

    Args:
        pieces: the bytes of every token.
        alternatives: how many of the likeliest tokens are told as well.
    """
    row = logits.astype(np.float64)
    row -= row.max()
    row -= np.log(np.exp(row).sum())
    most = min(alternatives, len(row))
    likeliest: Any = np.argpartition(-row, most - 1)[:most] if most else ()
    ranked = sorted(likeliest, key=lambda other: -row[other])
    return Scored(
        _text(pieces[token]),
        float(row[token]),
        tuple((_text(pieces[other]), float(row[other])) for other in ranked),
    )


def _text(piece: bytes) -> str:
    # A token may be a part of a character; the answer's text puts them together.
    return piece.decode("utf-8", "replace")
