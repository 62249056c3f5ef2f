"""Passwords: which are accepted, and how they are hashed and checked."""

import threading
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from marketplace.kernel.errors import Invalid, Limited
from marketplace.web.i18n import gettext as _

SHORTEST = 10
LONGEST = 200
WAIT_S = 10
RETRY_AFTER_S = 5
COMMON_FILE = Path(__file__).with_name("common_passwords.txt")

# RFC 9106 §4, the choice for little memory: 64 MiB, three passes; one lane suits a small server.
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
# Each hash takes 64 MiB and a core: a crowd at the door must queue, not exhaust the machine.
_SEATS = threading.BoundedSemaphore(2)


class WeakPassword(Invalid):
    """The password is too short or too easy to guess."""


class TooManyHashes(Limited):
    """More people sign in at this moment than the store can check."""


@cache
def common() -> frozenset[str]:
    """Passwords that are tried first by anyone who guesses, in small letters."""
    return frozenset(COMMON_FILE.read_text().split())


def accept(password: str, *, email: str, field: str = "password") -> None:
    """Let a new password pass, or say what is wrong with it.

    Args:
        email: of the person; their address is no password.
        field: the form's field that the sentence belongs to.
    Raises: WeakPassword.
    """
    plain = unicodedata.normalize("NFKC", password).casefold()
    if len(plain) < SHORTEST:
        message = _("Use at least %(n)s characters; a few words are easiest to remember.")
        message %= {"n": SHORTEST}
    elif plain in common():
        message = _("Many people use this password, so it is guessed first. Choose another.")
    elif email and plain in {email.casefold(), email.casefold().partition("@")[0]}:
        message = _("Your e-mail address is easy to guess. Choose another password.")
    else:
        return
    raise WeakPassword(message, fields={field: message})


def _bytes(password: str) -> bytes:
    # The same letters may be typed as different code points on different keyboards.
    return unicodedata.normalize("NFKC", password).encode()


def _take_seat() -> None:
    if not _SEATS.acquire(timeout=WAIT_S):
        raise TooManyHashes(
            _("Many people are signing in right now. Please try again in a few seconds."),
            retry_after_s=RETRY_AFTER_S,
        )


def hashed(password: str) -> str:
    """The argon2id hash to store; takes about 150 ms. Raises: TooManyHashes."""
    _take_seat()
    try:
        return HASHER.hash(_bytes(password))
    finally:
        _SEATS.release()


@cache
def _nobodys_hash() -> str:
    return hashed("the password of nobody")


def matches(password: str, stored_hash: str | None) -> bool:
    """Whether the password is the one that was stored; takes as long when nothing was.

    Args:
        stored_hash: as `hashed` made it; None for an account that does not exist or has none.
    Raises: TooManyHashes.
    """
    against = stored_hash or _nobodys_hash()
    _take_seat()
    try:
        is_same = HASHER.verify(against, _bytes(password))
    except (VerifyMismatchError, InvalidHashError):
        return False
    finally:
        _SEATS.release()
    return is_same and stored_hash is not None
