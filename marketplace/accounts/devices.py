"""What a browser says of itself, in the words people know it by. Pure."""

import re

# The first that fits names it: every later one is found in what the earlier ones say as well.
BROWSERS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera)/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
SYSTEMS = (
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac(?:intosh| OS X)\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
LONGEST = 40


def device(user_agent: str) -> tuple[str, str]:
    """Browser and system of a User-Agent header, each "" where it is not known.

    Returns: for a program that is no browser, its own first word and no system.
    """
    browser = next((name for name, mark in BROWSERS if mark.search(user_agent)), "")
    system = next((name for name, mark in SYSTEMS if mark.search(user_agent)), "")
    if not browser and not system:
        return user_agent.strip().partition(" ")[0][:LONGEST], ""
    return browser, system
