"""What a person reads of a browser they once signed in with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.accounts.devices import LONGEST, device

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROMIUM = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"


FOUND = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": (
        "Firefox",
        "Linux",
    ),
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROMIUM} Safari/537.36 Edg/141.0": (
        "Edge",
        "Windows",
    ),
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {CHROMIUM} Mobile Safari/537.36": (
        "Chrome",
        "Android",
    ),
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) {WEBKIT} CriOS/141 Safari/604": (
        "Chrome",
        "iPhone",
    ),
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/19.0 Safari/605.1.15": (
        "Safari",
        "macOS",
    ),
    "curl/8.14.1": ("curl/8.14.1", ""),
    "": ("", ""),
}


@pytest.mark.parametrize(("user_agent", "names"), FOUND.items())
def test_a_browser_is_called_what_people_call_it(user_agent: str, names: tuple[str, str]) -> None:
    assert device(user_agent) == names


@given(st.text(max_size=300))
def test_whatever_a_program_says_of_itself_stays_short(user_agent: str) -> None:
    assert all(len(name) <= LONGEST for name in device(user_agent))
