"""A made-up language, the same at every run: words by Zipf's law, and some Chinese."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

COMMON = "backup"
"""A word that every text has."""

_SYLLABLES = [a + b for a in "bcdfghjklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "is")]


@dataclass
class Language:
    """Words, the common ones first."""

    chance: random.Random
    words: list[str] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = dict.fromkeys(
            "".join(self.chance.choices(_SYLLABLES, k=self.chance.choice((1, 2, 2, 3, 3, 4)))) for _ in range(60_000)
        )
        self.words = list(known)[:30_000]
        self.signs = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]

    def texts(self, count: int) -> Iterator[str]:
        """Sentences of twelve words, and in every fifth some Chinese."""
        weights = [1 / (rank + 1) for rank in range(len(self.words))]
        words = iter(self.chance.choices(self.words, weights, k=count * 11))
        signs = iter(self.chance.choices(self.signs, [1 / (rank + 1) for rank in range(2000)], k=count * 4))
        for number in range(count):
            text = f"{COMMON} {' '.join(islice(words, 11))}"
            yield f"{text} {''.join(islice(signs, 20))}" if number % 5 == 0 else text
