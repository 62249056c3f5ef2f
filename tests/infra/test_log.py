"""Logs: one line of JSON in production, and never the local variables of a traceback."""

import json
from collections.abc import Iterator

import pytest
import structlog

from marketplace.infra import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def fail() -> None:
    password = "swordfish"
    raise RuntimeError(f"no luck with {len(password)} letters")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variables(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    log.configure(as_json=as_json)
    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("it.failed", request_id="abc")
    written = capsys.readouterr().err
    assert "no luck with 9 letters" in written
    assert "'swordfish'" not in written
    if as_json:
        [line] = written.splitlines()
        assert json.loads(line)["request_id"] == "abc"
