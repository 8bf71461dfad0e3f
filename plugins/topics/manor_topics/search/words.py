"""Words as they are searched for: what a text is found by, and what a query asks for. Pure.

The index knows no positions and no syntax of anybody's: a text is a set of terms, a query is a set of terms that must
all be among them. Case, accents and width are folded away on both sides.

* A word is found by any of its beginnings. Each of the first `LONGEST_PREFIX` characters adds a term, so that a
  beginning is looked up like a whole word, without merging all words that begin so.
* Scripts that put no spaces between words (Chinese, Japanese, Thai and their like; Korean too, whose words take
  endings) are found by any part: each run of one, two and three characters is a term. A longer part is asked for by
  all its runs of three.
* A symbol such as an emoji is a word of its own. All other characters only separate.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

FOLDING = f"1 {unicodedata.unidata_version}"
"""How texts become terms. An index that was made in another way is made anew."""

LONGEST_PREFIX = 16
LONGEST_WORD = 64
MOST_CHARACTERS = 100_000
"""Of one text; what stands behind them is not found."""

_PIECE = 3
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ŧ": "t",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "ĸ": "k",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ŋ": "n",
    }
)
"""Letters whose stroke is no accent to Unicode."""

_ACCENTS = (
    (0x300, 0x36F),
    (0x591, 0x5C7),
    (0x64B, 0x65F),
    (0x670, 0x670),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)
"""Marks that may be left out in writing; the vowel signs of Indic scripts and the voicing marks of kana may not."""

_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1100, 0x11FF),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3021, 0x318F),
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)
"""Thai, Lao, Myanmar, Khmer, Japanese, Chinese, Yi, Korean."""


@dataclass(frozen=True)
class Wanted:
    """What a query asks for: all of it.

    Args:
        terms: Terms that a text has to have.
        prefixes: Beginnings of terms that it has to have.
    """

    terms: frozenset[str]
    prefixes: frozenset[str] = frozenset()

    @property
    def is_nothing(self) -> bool:
        """Whether nothing in the query can be searched for: it is punctuation alone."""
        return not self.terms

    def matches(self, terms: frozenset[str]) -> bool:
        """Whether a text of these terms is found."""
        return self.terms <= terms and all(any(term.startswith(prefix) for term in terms) for prefix in self.prefixes)


def fold(text: str) -> str:
    """Text without case, accents and width: `Łódź` and `LODZ` become one."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join([character for character in plain if not _is_ignored(character)])
    return unicodedata.normalize("NFC", kept.casefold().translate(_LETTERS))


def terms_of(*texts: str | None) -> frozenset[str]:
    """All terms that a text in some parts, such as a title and a body, is found by."""
    pieces = {piece for text in texts if text for piece in _pieces(fold(text[:MOST_CHARACTERS]))}
    terms: set[str] = set()
    for kind, piece in pieces:
        if kind == "unspaced":
            terms.update(_parts(piece))
        elif len(piece) <= LONGEST_PREFIX:
            terms.update(_beginnings(piece))
        else:
            terms.update(_beginnings(piece[:LONGEST_PREFIX]))
            terms.add(f"l{piece[:LONGEST_WORD]}")
    return frozenset(terms)


def read_query(text: str) -> Wanted:
    """What a query as somebody typed it asks for. No character of it is syntax."""
    words: set[str] = set()
    terms: set[str] = set()
    prefixes: set[str] = set()
    for kind, piece in _pieces(fold(text)):
        if kind != "unspaced":
            words.add(piece)
        elif len(piece) <= _PIECE:
            terms.add(f"c{piece}")
        else:
            terms.update(f"c{piece[at : at + _PIECE]}" for at in range(len(piece) - _PIECE + 1))
    for word in words:
        terms.add(f"w{word[:LONGEST_PREFIX]}")
        if len(word) > LONGEST_PREFIX:
            prefixes.add(f"l{word[:LONGEST_WORD]}")
    return Wanted(frozenset(_without_implied(terms)), frozenset(prefixes))


def _without_implied(terms: Iterable[str]) -> Iterator[str]:
    """Leave out beginnings of other terms: whatever has the longer one has them too."""
    before = ""
    for term in sorted(terms, reverse=True):
        if not before.startswith(term):
            yield term
            before = term


@lru_cache(maxsize=10_000)
def _beginnings(word: str) -> Sequence[str]:
    """A word's own and those that a query may stop at; most words of a text are among few that all texts have."""
    return [f"w{word[:length]}" for length in range(1, len(word) + 1)]


def _parts(run: str) -> Iterator[str]:
    for length in range(1, _PIECE + 1):
        for at in range(len(run) - length + 1):
            yield f"c{run[at : at + length]}"


def _pieces(folded: str) -> Iterator[tuple[str, str]]:
    """The words, runs and symbols of a folded text, each with its kind."""
    if folded.isascii():
        for word in _ASCII_WORD.findall(folded):
            yield "word", word
        return
    for kind, characters in groupby(folded, _kind):
        if kind == "symbol":
            for symbol in characters:
                yield kind, symbol
        elif kind:
            yield kind, "".join(characters)


@lru_cache(maxsize=20_000)
def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LN" or category in ("Mn", "Mc"):
        return "unspaced" if _is_in(character, _UNSPACED) else "word"
    return "symbol" if category == "So" else ""


@lru_cache(maxsize=20_000)
def _is_ignored(character: str) -> bool:
    return _is_in(character, _ACCENTS) or unicodedata.category(character) == "Cf"


def _is_in(character: str, ranges: Iterable[tuple[int, int]]) -> bool:
    code = ord(character)
    return any(first <= code <= last for first, last in ranges)
