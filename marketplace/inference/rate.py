"""Tokens a second over the last seconds. Pure."""

WINDOW_S = 2.0


class Rate:
    """Counts what comes, and how much of it in each window of a few seconds.

    Attributes:
        total: what has come since the beginning.

    Args:
        now: monotonic seconds, as everywhere here.
    """

    def __init__(self, now: float) -> None:
        self.total = 0
        self._since, self._count, self._per_s = now, 0, 0.0

    def add(self, count: int, now: float) -> None:
        """Count what has come."""
        self.total += count
        self._count += count
        elapsed = now - self._since
        if elapsed >= WINDOW_S:
            self._per_s = self._count / elapsed
            self._since, self._count = now, 0

    def per_s(self, now: float) -> float:
        """How much came a second in the last window; 0 when nothing has come for a while."""
        return self._per_s if now - self._since < 2 * WINDOW_S else 0.0
