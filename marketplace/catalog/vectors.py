"""All vectors of a store as one matrix, and which of them are nearest to a query. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketplace.catalog import ranking
from marketplace.kernel.ids import AppId

MOST_NEAR = 100
NUMBER = np.dtype("<f4")

type_key = tuple[AppId, str]
type_row = tuple[AppId, str, str, bytes]


@dataclass(frozen=True)
class Vectors:
    """What apps mean to one model.

    Args:
        keys: app and language of each row.
        matrix: one vector of length 1 a row.
        middle: the mean of all rows.
    """

    model: str
    keys: Sequence[type_key]
    matrix: npt.NDArray[np.float32]
    middle: npt.NDArray[np.float32]

    def near(self, query: Sequence[float]) -> Mapping[AppId, float]:
        """The apps that mean something near to a query's vector, and how near, 0 to 1.

        Nothing is near to a vector of another size, which comes from another model.
        """
        vector = np.asarray(query, dtype=NUMBER)
        if vector.shape != self.middle.shape:
            return {}
        cosines = self.matrix @ vector
        count = min(MOST_NEAR, len(cosines))
        usual = float(self.middle @ vector)
        near: dict[AppId, float] = {}
        for row in np.argpartition(-cosines, count - 1)[:count]:
            app_id, _locale = self.keys[row]
            closeness = ranking.closeness(float(cosines[row]), usual=usual)
            near[app_id] = max(near.get(app_id, 0.0), closeness)
        return ranking.only_near(near)


def joined(old: Vectors | None, rows: Sequence[type_row]) -> Vectors | None:
    """The vectors with newer rows in the place of older ones.

    Args:
        rows: app, language, model and vector, oldest first; the last one says which model
            counts, and the others' go.
    """
    if not rows:
        return old
    _app_id, _locale, model, newest = rows[-1]
    fresh: dict[type_key, bytes] = {
        (app_id, locale): vector
        for app_id, locale, made_by, vector in rows
        if made_by == model and len(vector) == len(newest)
    }
    keys = list(fresh)
    matrix = np.frombuffer(b"".join(fresh.values()), NUMBER).reshape(len(fresh), -1)
    if old is not None and old.model == model and old.matrix.shape[1] == matrix.shape[1]:
        kept = [place for place, key in enumerate(old.keys) if key not in fresh]
        keys = [*(old.keys[place] for place in kept), *keys]
        matrix = np.concatenate([old.matrix[kept], matrix])
    return Vectors(model, keys, matrix, matrix.mean(axis=0))
