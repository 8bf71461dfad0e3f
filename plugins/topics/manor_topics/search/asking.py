"""What the index is asked: terms, and how they go together. Pure; renders FTS5's own syntax, and evaluates sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Bits = int
"""A set of places, each a bit."""

Look = Callable[[str], Bits | None]
"""The places of a term; None when nobody knows them."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term: letters and digits alone, so that nothing in it is syntax. With `is_beginning`, all that begin so."""

    text: str
    is_beginning: bool = False

    def __str__(self) -> str:
        return f'"{self.text}" *' if self.is_beginning else f'"{self.text}"'

    def terms(self) -> Iterable[str]:
        """The terms in it whose places may be known."""
        return () if self.is_beginning else (self.text,)

    def places(self, look: Look) -> Bits | None:
        """Where it stands."""
        return None if self.is_beginning else look(self.text)


@dataclass(frozen=True, slots=True)
class Every:
    """All of these at once; one at least."""

    parts: tuple[Asked, ...]

    def __str__(self) -> str:
        return " AND ".join(map(_inside, self.parts))

    def terms(self) -> Iterable[str]:
        """The terms in it."""
        return (term for part in self.parts for term in part.terms())

    def places(self, look: Look) -> Bits | None:
        """Where all of them stand."""
        found: Bits | None = None
        for part in self.parts:
            places = part.places(look)
            if places is None:
                return None
            found = places if found is None else found & places
        return found


@dataclass(frozen=True, slots=True)
class Either:
    """One of these or several; one at least."""

    parts: tuple[Asked, ...]

    def __str__(self) -> str:
        return " OR ".join(map(_inside, self.parts))

    def terms(self) -> Iterable[str]:
        """The terms in it."""
        return (term for part in self.parts for term in part.terms())

    def places(self, look: Look) -> Bits | None:
        """Where any of them stands."""
        found: Bits = 0
        for part in self.parts:
            places = part.places(look)
            if places is None:
                return None
            found |= places
        return found


@dataclass(frozen=True, slots=True)
class But:
    """One thing, where another is not."""

    wanted: Asked
    unwanted: Asked

    def __str__(self) -> str:
        return f"{_inside(self.wanted)} NOT {_inside(self.unwanted)}"

    def terms(self) -> Iterable[str]:
        """The terms in it."""
        return (*self.wanted.terms(), *self.unwanted.terms())

    def places(self, look: Look) -> Bits | None:
        """Where the one stands and the other does not."""
        wanted, unwanted = self.wanted.places(look), self.unwanted.places(look)
        return None if wanted is None or unwanted is None else wanted & ~unwanted


Asked = Term | Every | Either | But


def _inside(part: Asked) -> str:
    return str(part) if isinstance(part, Term) else f"({part})"


def either(terms: Iterable[str]) -> Asked:
    """Any of these terms, in a fixed order."""
    ordered = tuple(Term(term) for term in sorted(set(terms)))
    return ordered[0] if len(ordered) == 1 else Either(ordered)
