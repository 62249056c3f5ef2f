"""What the tests of review share."""

from pathlib import Path

import pytest

from marketplace.infra.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty store of blobs."""
    return Blobs(tmp_path / "blobs")
