"""Secrets of people at rest: sealed with a key derived from the store's own, each to its place."""

import base64
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
PURPOSE = b"caravan: secrets of people"


class CannotOpen(Exception):
    """What was sealed belongs to another place, or to a key this store no longer has."""


class Vault:
    """Seals texts with AES-256-GCM (NIST SP 800-38D), a fresh nonce each.

    Args:
        key: what new texts are sealed with.
        earlier: keys the store had before, which still open what they sealed.
    """

    def __init__(self, key: str, earlier: Sequence[str] = ()) -> None:
        self._ciphers = [AESGCM(_derived(each)) for each in (key, *earlier)]

    def seal(self, text: str, place: str) -> str:
        """A text that only `open` with the same place can read.

        Args:
            place: where it is kept; copied into another row it stays shut.
        """
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, text.encode(), place.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, place: str) -> str:
        """What was sealed. Raises: CannotOpen."""
        data = base64.b64decode(sealed)
        for cipher in self._ciphers:
            try:
                opened = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], place.encode())
            except InvalidTag:
                continue
            return opened.decode()
        raise CannotOpen("No key of this store opens what is kept here.")


def _derived(key: str) -> bytes:
    return HKDF(SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE).derive(key.encode())
