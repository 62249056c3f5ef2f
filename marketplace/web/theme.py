"""The colours a browser wants: a cookie, so that the first byte of a page is in them already."""

from flask import Response, current_app, request

COOKIE = "theme"
AUTO = "auto"
THEMES = ("light", "dark")
YEAR_S = 365 * 24 * 3600


def chosen() -> str:
    """`light`, `dark` or, where this browser follows its system, ""."""
    theme = request.cookies.get(COOKIE, "")
    return theme if theme in THEMES else ""


def remember(response: Response, theme: str | None) -> None:
    """Have the browser keep a theme; None or anything unknown is the system's.

    The script of the theme button writes this cookie too, so it cannot be hidden from scripts.
    """
    response.set_cookie(
        COOKIE,
        theme if theme in THEMES else AUTO,
        max_age=YEAR_S,
        samesite="Lax",
        secure=current_app.config["SECURE_COOKIES"],
    )
