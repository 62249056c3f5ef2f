"""Keeps pages for visitors who are not signed in, a few seconds, in this process.

An old page is shown once more while it is made anew in a thread apart, so that no visitor of a
page that is much visited waits for it (`stale-while-revalidate`, RFC 5861 §3).
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from io import BytesIO
from typing import ParamSpec

from flask import Flask, Response, current_app, request
from flask.typing import ResponseReturnValue

from marketplace.web import csp, csrf, theme
from marketplace.web.auth import actor
from marketplace.web.i18n import current_locale

Args = ParamSpec("Args")
Key = tuple[str, str, str]

MOST_BYTES = 32 * 2**20
NONCE, TOKEN = "nonce", "token"
# Marks the request of a thread that makes a page anew.
RENEWING = "caravan.renewing"


class PageCache:
    """Finished pages by address, language and theme; the least lately used go first.

    Args:
        keep_s: seconds for which a page is shown again, and for which an old one is still
            shown while it is made anew; 0 keeps nothing.
        clock: seconds that only grow.
    """

    def __init__(self, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.keep_s = keep_s
        self._clock = clock
        self._pages: OrderedDict[Key, tuple[float, int, Sequence[bytes]]] = OrderedDict()
        self._bytes = 0
        self._renewing: set[Key] = set()
        self._lock = threading.Lock()
        # Its thread begins with the first page that is renewed.
        self._renewer = ThreadPoolExecutor(1, "page-renewal")

    def get(self, key: Key) -> tuple[Sequence[bytes] | None, bool]:
        """The pieces of a page, or None when it is not here or too old.

        Returns: also whether it is old, and the caller is the one that must `renew` it.
        """
        with self._lock:
            found, now = self._pages.get(key), self._clock()
            if found is None or found[0] + self.keep_s < now:
                return None, False
            self._pages.move_to_end(key)
            is_due = found[0] < now and key not in self._renewing
            if is_due:
                self._renewing.add(key)
            return found[2], is_due

    def renew(self, key: Key, make: Callable[[], object]) -> None:
        """Have `make` put the page here anew, in a thread apart."""

        def made() -> None:
            try:
                make()
            finally:
                with self._lock:
                    self._renewing.discard(key)

        self._renewer.submit(made)

    def put(self, key: Key, pieces: Sequence[bytes]) -> None:
        """Keep a page."""
        size = sum(map(len, pieces))
        with self._lock:
            if old := self._pages.pop(key, None):
                self._bytes -= old[1]
            self._pages[key] = (self._clock() + self.keep_s, size, pieces)
            self._bytes += size
            while self._bytes > MOST_BYTES:
                _key, (_until, gone, _pieces) = self._pages.popitem(last=False)
                self._bytes -= gone

    def clear(self) -> None:
        """Forget every page."""
        with self._lock:
            self._pages.clear()
            self._bytes = 0


def forget_pages() -> None:
    """Make this process show no kept page again; another one may for `page_cache_s` seconds."""
    cache: PageCache = current_app.extensions["page_cache"]
    cache.clear()


def kept(view: Callable[Args, ResponseReturnValue]) -> Callable[Args, ResponseReturnValue]:
    """A page that is the same for every visitor who is not signed in.

    The nonce and the form token in it are each visitor's own: the page is kept in the pieces
    between them.
    """

    @wraps(view)
    def answer(*args: Args.args, **kwargs: Args.kwargs) -> ResponseReturnValue:
        cache: PageCache = current_app.extensions["page_cache"]
        if not cache.keep_s or not _is_common():
            return view(*args, **kwargs)
        key = (request.full_path, current_locale(), theme.chosen())
        is_renewal = RENEWING in request.environ
        pieces, is_due = (None, False) if is_renewal else cache.get(key)
        if is_due:
            cache.renew(key, _same_request())
        if pieces is None:
            made = view(*args, **kwargs)
            if not isinstance(made, str):
                return made
            pieces = _pieces(made)
            cache.put(key, pieces)
        return _page(pieces)

    return answer


def _same_request() -> Callable[[], object]:
    """Asks for this page again, whatever is kept of it."""
    store = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  (Flask's own way)
    environ = {**request.environ, "wsgi.input": BytesIO(), RENEWING: True}
    # What proxies have said is in it already.
    return lambda: Response.from_app(partial(Flask.wsgi_app, store), environ).close()


def _is_common() -> bool:
    """Whether this visitor sees what every visitor sees: nobody's name, no passing message."""
    session_cookie = str(current_app.config["SESSION_COOKIE_NAME"])
    return (
        request.method == "GET"
        and session_cookie not in request.cookies
        and "lang" not in request.args
        and actor() is None
    )


def _pieces(page: str) -> list[bytes]:
    """Text, mark, text, mark, …: the marks stand where the visitor's own secrets go."""
    marks = {csp.nonce(): NONCE, csrf.token(): TOKEN}
    parts = re.split("(" + "|".join(map(re.escape, marks)) + ")", page)
    return [marks.get(part, part).encode() for part in parts]


def _page(pieces: Sequence[bytes]) -> Response:
    own = {NONCE.encode(): csp.nonce().encode(), TOKEN.encode(): csrf.token().encode()}
    body = b"".join(own[piece] if place % 2 else piece for place, piece in enumerate(pieces))
    return current_app.response_class(body, mimetype="text/html")


def install(app: Flask) -> None:
    """Give this process its cache; `PAGE_CACHE_S` says how long a page is kept."""
    app.extensions["page_cache"] = PageCache(app.config.get("PAGE_CACHE_S", 0))
