"""The clock is aware, and in UTC."""

from datetime import UTC, timedelta

from marketplace.kernel.clock import utc_now


def test_now_knows_its_zone() -> None:
    now = utc_now()
    assert now.tzinfo is UTC
    assert now.utcoffset() == timedelta(0)
