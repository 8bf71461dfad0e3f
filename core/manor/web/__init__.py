"""The Quart front: between ASGI and the dispatcher. Only this package knows Quart."""

from manor.web.app import Front
from manor.web.exchange import CONTINUE, CUT, FRAMES
from manor.web.request_bodies import BodyTimes
from manor.web.sending import OpenStreams, SendWhole
from manor.web.visits import Visits, WebOptions

__all__ = ["CONTINUE", "CUT", "FRAMES", "BodyTimes", "Front", "OpenStreams", "SendWhole", "Visits", "WebOptions"]
