"""Which place a request gets, what idle ones keep, and how little memory is shared out."""

import numpy as np
import pytest

from marketplace.inference.ledger import Ledger, Transfer, share_out
from marketplace.inference.prefixes import Content


def make_content(text: list[int], *, app: str = "a", person: str = "i", shared: int = 0) -> Content:
    tokens = np.array(text, dtype=np.int32)
    return Content(f"{app}@1", app, person, tokens, known=len(text), shared=shared)


def opened(ledger: Ledger, content: Content, now: float = 0.0) -> Transfer:
    """A content in its place, with all its tokens in the cells."""
    transfer = ledger.open(content, ledger.match(content), now)
    content.length = content.known
    return transfer


@pytest.mark.parametrize(
    ("places", "shared_out"),
    [
        (13, (8, 1, 4)),
        (20, (8, 1, 4)),
        (6, (3, 1, 2)),
        (3, (2, 0, 1)),
        (2, (2, 0, 0)),
        (1, (1, 0, 0)),
    ],
)
def test_slots_come_before_guests_and_kept_prompts(
    places: int, shared_out: tuple[int, int, int]
) -> None:
    assert share_out(places, slots=8, guests=1, kept=4) == shared_out


def test_a_quiet_store_takes_its_places_in_turn_and_empty_ones_first() -> None:
    ledger = Ledger(running=3, kept=0, least=2)
    for number in range(4):
        content = make_content([number] * 4)
        assert opened(ledger, content, now=float(number)).place == number % 3
        ledger.close(content, float(number))


def test_beside_others_a_request_takes_the_nearest_place() -> None:
    ledger = Ledger(running=5, kept=0, least=2)
    contents = [make_content([number] * 4) for number in range(4)]
    places = [opened(ledger, content).place for content in contents]
    assert places == [0, 1, 2, 3]
    ledger.close(contents[1], 1.0)
    assert opened(ledger, make_content([9] * 4)).place == 1


def test_a_gap_nobody_fills_is_closed_by_the_last_and_then_there_is_none() -> None:
    ledger = Ledger(running=4, kept=0, least=2)
    assert ledger.close_gap() is None
    contents = [make_content([number] * 4) for number in range(4)]
    for content in contents:
        opened(ledger, content)
    ledger.close(contents[0], 1.0)
    assert ledger.close_gap() is None  # the others still stand together
    ledger.close(contents[2], 1.0)
    assert ledger.close_gap() == Transfer(3, 2, 4)
    assert (contents[1].place, contents[3].place) == (1, 2)
    assert ledger.close_gap() is None


def test_another_persons_text_is_copied_from_and_not_written_over() -> None:
    ledger = Ledger(running=2, kept=0, least=2)
    first = make_content([1, 2, 3, 7, 7], shared=3)
    opened(ledger, first)
    ledger.close(first, 1.0)
    other = make_content([1, 2, 3, 8, 8], person="j", shared=3)
    assert opened(ledger, other, now=2.0) == Transfer(0, 1, 3)


def test_evicting_leaves_what_requests_hold() -> None:
    ledger = Ledger(running=2, kept=1, least=2)
    idle, live = make_content([1, 2, 3, 4], shared=3), make_content([5, 6, 7])
    opened(ledger, idle)
    assert ledger.keep(idle, 0.0) == Transfer(0, 2, 3)
    assert ledger.keep(idle, 0.0) is None  # it is kept already
    opened(ledger, live)
    ledger.close(idle, 1.0)
    assert ledger.cells == 4 + 3 + 3
    assert ledger.evict() == [0, 2]
    assert (ledger.cells, ledger.live, ledger.free) == (3, 1, 1)
    assert ledger.keep(idle, 2.0) is None  # its cells are gone
