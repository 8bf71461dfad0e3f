"""Kinds of hosts: what is asked of each is the same."""

from manor_hostservices.backends.backend import Backend

__all__ = ["Backend"]
