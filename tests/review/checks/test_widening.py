"""Permissions that a new version adds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marketplace.review.checks.widening import check_widening

NAMES = st.sets(st.sampled_from(["llm.generate", "kv.user", "kv.app", "ads.show", "user.locale"]))


def manifest(names: set[str]) -> dict[str, Any]:
    return {"permission": [{"name": name, "reason": "Because."} for name in sorted(names)]}


@given(NAMES, NAMES)
def test_each_new_permission_is_one_warning(before: set[str], after: set[str]) -> None:
    found = list(check_widening(manifest(after), manifest(before)))
    assert len(found) == len(after - before)
    assert all(any(name in finding.message for finding in found) for name in after - before)


@given(NAMES)
def test_a_first_version_widens_nothing(names: set[str]) -> None:
    assert list(check_widening(manifest(names), None)) == []
