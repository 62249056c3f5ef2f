"""Opaque secrets: made here, kept by whoever they are for, stored only as their sha256."""

import hashlib
import secrets

TOKEN_MARK = "crv_"  # noqa: S105  (a mark by which scanners of leaked secrets know ours)
SECRET_BYTES = 32
SHOWN_CHARS = 10


def new_secret() -> str:
    """256 random bits, safe in addresses and cookies."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_token_secret() -> str:
    """The secret of an API token, with our mark in front."""
    return TOKEN_MARK + new_secret()


def shown_prefix(secret: str) -> str:
    """The beginning of a token's secret; 36 of its 256 bits are shown."""
    return secret[:SHOWN_CHARS]


def fingerprint(secret: str) -> str:
    """What is stored of a secret. It is random, so a plain sha256 cannot be guessed back."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
