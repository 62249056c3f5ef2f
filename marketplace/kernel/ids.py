"""Identifiers: time-ordered UUIDs, one type for each kind of thing."""

import os
import time
from typing import NewType
from uuid import UUID

AccountId = NewType("AccountId", UUID)
TokenId = NewType("TokenId", UUID)
AppId = NewType("AppId", UUID)
ReleaseId = NewType("ReleaseId", UUID)
RatingId = NewType("RatingId", UUID)
CollectionId = NewType("CollectionId", UUID)
ProductId = NewType("ProductId", UUID)
OrderId = NewType("OrderId", UUID)
TransactionId = NewType("TransactionId", UUID)
RunId = NewType("RunId", UUID)
CampaignId = NewType("CampaignId", UUID)
FlightId = NewType("FlightId", UUID)
CreativeId = NewType("CreativeId", UUID)
OfferId = NewType("OfferId", UUID)
JobId = NewType("JobId", UUID)


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562 §5.7): 48 bits of unix milliseconds, then randomness.

    Ids made later sort later (to the millisecond), so an index grows at its end.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
