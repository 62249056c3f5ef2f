"""Bytes become text in whole characters, and nothing of a stop text is ever shown."""

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.inference.text import TextStream


def shown(stream: TextStream, pieces: list[bytes]) -> str:
    out = ""
    for piece in pieces:
        out += stream.push(piece)
        if stream.is_stopped:
            return out
    return out + stream.finish()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def test_a_character_appears_when_its_last_byte_has_come() -> None:
    stream = TextStream()
    assert [stream.push(bytes([byte])) for byte in "é".encode()] == ["", "é"]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert shown(TextStream(), [b"a\xff", b"b\xc3"]) == "a\ufffdb\ufffd"


def test_a_stop_text_across_pieces_ends_the_answer_before_it() -> None:
    stream = TextStream(("END",))
    assert [stream.push(piece) for piece in (b"one E", b"N", b"D two")] == ["one ", "", ""]
    assert stream.is_stopped
    assert stream.push(b"more") == ""
    assert stream.finish() == ""


def test_what_only_began_like_a_stop_text_is_shown_in_the_end() -> None:
    stream = TextStream(("END",))
    assert stream.push(b"EN") == ""
    assert stream.finish() == "EN"


def test_the_first_of_several_stop_texts_counts() -> None:
    assert shown(TextStream(("cd", "b")), [b"abcd"]) == "a"


def test_a_stop_text_completed_by_the_last_bytes_is_cut() -> None:
    stream = TextStream(("\ufffd",))
    assert stream.push(b"a\xc3") == "a"
    assert stream.finish() == ""
    assert stream.is_stopped


@settings(deadline=None)
@given(text=st.text(), sizes=st.lists(st.integers(1, 4)))
def test_any_text_comes_through_whole_however_it_is_cut(text: str, sizes: list[int]) -> None:
    assert shown(TextStream(), cut(text.encode(), sizes)) == text


@settings(deadline=None)
@given(
    text=st.text(alphabet="abé"),
    stops=st.lists(st.text(alphabet="abé", min_size=1, max_size=3), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 4)),
)
def test_the_answer_ends_where_the_earliest_complete_stop_text_begins(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    answer = shown(TextStream(tuple(stops)), cut(text.encode(), sizes))
    assert text.startswith(answer)
    assert not any(stop in answer for stop in stops)
    if not any(stop in text for stop in stops):
        assert answer == text
