"""Capabilities: no call without its permission, and no permission for what does not exist."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.sandbox import grants

PAYLOADS = st.dictionaries(
    st.sampled_from(["scope", "kind", "name"]),
    st.sampled_from(["user", "app", "slot", "text", "../user", None, 7, ("user",)]),
)
GRANTED = st.frozensets(st.sampled_from(sorted(grants.EVERYTHING)))


@given(st.sampled_from(sorted(grants.OPS)), PAYLOADS, GRANTED)
def test_a_call_passes_only_with_the_permission_it_needs(
    op: str, payload: dict[str, Any], granted: frozenset[str]
) -> None:
    permission = grants.needed(op, payload)
    refused = grants.refusal(op, payload, granted)
    assert (refused is None) == (permission is None or permission in granted)
    if refused:
        rule, message = refused
        assert rule == f"permission.{permission}"
        assert message.endswith(".")


@given(st.text(), PAYLOADS)
def test_an_unknown_op_is_refused_whatever_is_granted(op: str, payload: dict[str, Any]) -> None:
    if op not in grants.OPS:
        refused = grants.refusal(op, payload, grants.EVERYTHING)
        assert refused is not None
        assert refused[0] == "host.unknown-op"


@given(PAYLOADS, st.frozensets(st.sampled_from(sorted(grants.EVERYTHING - {"kv.user"}))))
def test_more_grants_of_another_kind_open_nothing(
    payload: dict[str, Any], granted: frozenset[str]
) -> None:
    assert grants.refusal("kv.get", payload | {"scope": "user"}, granted) is not None


@pytest.mark.parametrize("scope", ["", "User", "user ", "../app", None, 3, ["user"]])
def test_a_scope_that_is_none_of_ours_can_never_be_granted(scope: object) -> None:
    refused = grants.refusal("kv.get", {"scope": scope}, grants.EVERYTHING)
    assert refused is not None
    assert refused[0] == "permission.kv.unknown"


def test_showing_text_and_logging_need_nothing() -> None:
    for op in grants.ALWAYS:
        assert grants.refusal(op, {"kind": "text"}, frozenset()) is None


def test_every_permission_has_words_for_the_person() -> None:
    needed = set(grants.PERMISSIONS.values()) | {f"kv.{scope}" for scope in grants.KV_SCOPES}
    assert needed | {"ads.show"} == set(grants.WHAT)


def test_a_slot_in_the_output_is_an_advertisement() -> None:
    slot = {"kind": "slot", "name": "after"}
    refused = grants.refusal("output.write", slot, frozenset())
    assert refused is not None
    assert refused[0] == "permission.ads.show"
    assert grants.refusal("output.write", slot, frozenset({"ads.show"})) is None
