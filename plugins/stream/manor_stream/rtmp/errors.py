"""What goes wrong when somebody does not speak RTMP."""

from __future__ import annotations


class ProtocolError(Exception):
    """The other side sent what RTMP does not have, or more of it than is taken; the text says what, for the log."""
