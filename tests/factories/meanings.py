"""A language model whose vectors mean something, for tests of search by meaning."""

from dataclasses import replace
from math import hypot

from marketplace.inference.fake import FakeInference
from marketplace.inference.ports import Embedded, Embedding, EngineStatus, ServedModel, Usage

# Words of one line mean the same, in whatever language.
SENSES = (
    {"summarise", "summary", "shorten", "digest", "ملخص"},
    {"contract", "agreement", "clause", "lease", "عقد"},
    {"meal", "dinner", "recipe", "وجبة"},
    {"trip", "journey", "holiday", "رحلة"},
)


class Meaningful(FakeInference):
    """Counts the senses in a text; a sense is a dimension, and all texts share a little more.

    Args:
        name: its one model's, with the role embed.
    """

    def __init__(self, name: str = "sense", why_not: str | None = None) -> None:
        super().__init__(why_not=why_not)
        self.name = name
        self.roles: tuple[str, ...] = ("embed",)

    def status(self) -> EngineStatus:
        """An engine with this one model."""
        models = (ServedModel(f"{self.name}-q8", self.name, self.roles, context=512),)
        return replace(super().status(), models=models)

    def embed(self, embedding: Embedding) -> Embedded:
        """Vectors by the senses of the words."""
        super().embed(embedding)
        vectors = tuple(vector_of(text) for text in embedding.texts)
        return Embedded(vectors, Usage(), self.name)


def vector_of(text: str) -> tuple[float, ...]:
    """One vector of length 1; the last dimension is the cone that all vectors lie in."""
    words = {word.strip(".,") for word in text.lower().split()}
    counts = [float(len(words & sense)) for sense in SENSES] + [0.5]
    length = hypot(*counts)
    return tuple(count / length for count in counts)
