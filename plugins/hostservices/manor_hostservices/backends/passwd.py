"""Accounts that the host has, whoever made them."""

from __future__ import annotations

from manor_hostservices.places import Places


def existing_accounts(places: Places) -> frozenset[str]:
    """Names in `/etc/passwd`; none where there is no such file."""
    try:
        text = places.at("/etc/passwd").read_text(errors="replace")
    except FileNotFoundError:
        return frozenset()
    return frozenset(line.partition(":")[0] for line in text.splitlines() if ":" in line)
