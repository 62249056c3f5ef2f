"""The tests of pages share billing's shop, and its people."""

from tests.billing.conftest import people, shop

__all__ = ["people", "shop"]
