"""Why a door ends a WebSocket by itself (RFC 6455 section 7.4)."""

from __future__ import annotations

from manor.routing import Closing

NORMAL = Closing(1000, "")
TEXT_ONLY = Closing(1003, "only text is understood here")
TOO_LONG = Closing(1009, "the message is too long")
OUR_FAULT = Closing(1011, "internal server error")
