"""Frames: the places of a release in a traceback, and nothing else that stands in it."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.runs import frames

FILES = {
    "app.py": b"import words\n\n\ndef go():\n    words.say()\n",
    "words.py": b"def say():\n    1/0\n",
}


def test_only_places_of_the_release_are_told() -> None:
    told = (
        'Traceback (most recent call last):\n  File "app.py", line 5, in go\n    words.say()\n'
        '  File "words.py", line 2, in say\n    1/0\nValueError: a secret wish\n'
    )
    assert frames.of(told, FILES) == 'File "app.py", line 5\nFile "words.py", line 2'


def test_an_app_cannot_write_frames_of_its_own() -> None:
    told = 'File "a secret wish", line 1\nFile "app.py", line 6\nFile "app.py", line 4, in wish\n'
    assert frames.of(told, FILES) == 'File "app.py", line 4'


@given(st.text(max_size=40).map(lambda text: f'File "{text}", line 1\n{text}'))
def test_no_word_of_an_error_is_left(told: str) -> None:
    assert frames.of(told, {}) == ""


def test_an_endless_recursion_has_a_short_answer() -> None:
    assert frames.of('  File "app.py", line 5, in go\n' * 1000, FILES).count("\n") == 19
