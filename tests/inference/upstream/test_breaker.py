"""Servers that fail rest, one request tries whether they are back, and requests find their own."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.inference.upstream.breaker import (
    FAILURES,
    FIRST_REST_S,
    LONGEST_REST_S,
    Breaker,
    Node,
    State,
    in_order,
)


def broken(now: float = 0.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker()
    for _ in range(FAILURES):
        assert breaker.allows(now)
        breaker.begin()
        breaker.fail(now)
    return breaker


def test_a_server_rests_after_failures_in_a_row_alone() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.fail(0)
    breaker.succeed()
    breaker.fail(0)
    assert breaker.allows(0)
    assert not broken().allows(FIRST_REST_S / 2)


def test_after_its_rest_one_request_tries_it() -> None:
    breaker = broken()
    assert breaker.allows(FIRST_REST_S)
    breaker.begin()
    assert not breaker.allows(FIRST_REST_S)
    breaker.answer()
    assert breaker.allows(FIRST_REST_S)


def test_a_try_that_was_answered_but_failed_after_all_rests_longer() -> None:
    breaker = broken()
    breaker.begin()
    breaker.answer()
    breaker.fail(FIRST_REST_S)
    assert not breaker.allows(2.9 * FIRST_REST_S)
    assert breaker.allows(3 * FIRST_REST_S)
    breaker.begin()
    breaker.succeed()
    breaker.fail(4 * FIRST_REST_S)
    assert breaker.allows(4 * FIRST_REST_S)


def test_each_try_that_fails_doubles_the_rest_up_to_a_bound() -> None:
    breaker, now, rests = broken(), 0.0, []
    for _ in range(8):
        now = breaker.rests_until
        breaker.begin()
        breaker.fail(now)
        rests.append(breaker.rests_until - now)
    assert rests[:2] == [2 * FIRST_REST_S, 4 * FIRST_REST_S]
    assert rests[-1] == LONGEST_REST_S


def test_a_try_that_somebody_stopped_lets_the_next_one_try() -> None:
    breaker = broken()
    breaker.begin()
    breaker.give_up(5.0)
    assert breaker.allows(5.0)
    closed = Breaker()
    closed.give_up(5.0)
    assert closed.state is State.CLOSED


def test_requests_under_way_when_it_opened_do_not_prolong_the_rest() -> None:
    breaker = broken()
    breaker.fail(FIRST_REST_S / 2)
    assert breaker.allows(FIRST_REST_S)


@given(st.lists(st.sampled_from(["begin", "succeed", "fail", "stop", "wait"]), max_size=60))
def test_whatever_happens_a_server_is_tried_again_within_the_longest_rest(
    happenings: list[str],
) -> None:
    breaker, now, under_way = Breaker(), 0.0, 0
    for happening in happenings:
        if happening == "begin" and breaker.allows(now):
            was_resting = breaker.state is State.OPEN
            breaker.begin()
            under_way += 1
            assert not was_resting or not breaker.allows(now)
        elif happening == "wait":
            now += 0.7
        elif under_way and happening != "begin":
            under_way -= 1
            if happening == "succeed":
                breaker.succeed()
            elif happening == "fail":
                breaker.fail(now)
            else:
                breaker.give_up(now)
    for _ in range(under_way):
        breaker.give_up(now)
    assert breaker.allows(now + LONGEST_REST_S)


def test_a_key_goes_to_the_same_server_until_that_has_more_than_its_share() -> None:
    nodes = [Node(f"http://{name}/v1") for name in "abcd"]
    firsts = {key: in_order(nodes, key, 0)[0] for key in map(str, range(200))}
    assert all(in_order(nodes, key, 1)[0] is first for key, first in firsts.items())
    shares = [list(firsts.values()).count(node) for node in nodes]
    assert min(shares) > 25
    favourite, second = in_order(nodes, "7", 0)[:2]
    favourite.in_flight = 8
    assert in_order(nodes, "7", 0)[0] is second
    for node in nodes:
        node.in_flight = 8
    assert in_order(nodes, "7", 0)[0] is favourite


def test_a_server_that_rests_is_left_out_and_its_keys_alone_move() -> None:
    nodes = [Node(f"http://{name}/v1") for name in "abc"]
    before = {key: in_order(nodes, key, 0)[0] for key in map(str, range(60))}
    nodes[0].breaker.rest(0, 10)
    after = {key: in_order(nodes, key, 0)[0] for key in before}
    assert nodes[0] not in after.values()
    assert all(after[key] is node for key, node in before.items() if node is not nodes[0])
    assert in_order(nodes[:1], "7", 0) == []
