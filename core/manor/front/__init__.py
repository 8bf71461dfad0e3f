"""The front door: HTTP/1.1 read and answered on our own sockets. It knows neither Quart nor hypercorn."""

from manor.front.connection import Connection
from manor.front.door import FrontDoor, Guest
from manor.front.limits import ConnectionLimits, Peer

__all__ = ["Connection", "ConnectionLimits", "FrontDoor", "Guest", "Peer"]
