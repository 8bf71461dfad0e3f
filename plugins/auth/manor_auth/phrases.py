"""Phrases that people copy from one screen to another: English words as BIP39 lists them."""

from __future__ import annotations

import secrets
import unicodedata

from mnemonic import Mnemonic


class Phrases:
    """Makes phrases. Reads the word list once."""

    def __init__(self) -> None:
        self._words = Mnemonic("english")

    def make(self, size: int) -> str:
        """A phrase nobody can guess.

        Args:
            size: Random bytes in it: 16 make 12 words, 24 make 18.
        """
        return self._words.to_mnemonic(secrets.token_bytes(size))


def as_made(phrase: str) -> str:
    """What somebody typed, the way it was made: lower case, one blank between words."""
    return " ".join(unicodedata.normalize("NFKD", phrase).lower().split())
