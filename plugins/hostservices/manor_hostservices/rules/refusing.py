"""How a rule says no."""

from __future__ import annotations


class Rule(Exception):
    """A value breaks a rule; the text is a sentence for the person who gave it."""
