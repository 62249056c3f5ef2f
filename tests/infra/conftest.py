"""What the tests of the infra room share."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, instead of its rendering."""
    with capture_logs() as entries:
        yield entries
