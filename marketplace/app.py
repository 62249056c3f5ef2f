"""The composition root: every room wired to every other, read from top to bottom."""

from marketplace.infra import jobs

__all__ = ["jobs"]
