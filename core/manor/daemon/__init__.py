"""The daemon: sockets, signals and systemd. Only this package knows hypercorn."""

from manor.daemon.listeners import CannotListen, Listeners, open_listeners
from manor.daemon.running import FirstStep, run, serve
from manor.daemon.server import Server, ServerLimits, Tls
from manor.front import ConnectionLimits
from manor.front.framing import HeadLimits

__all__ = [
    "CannotListen",
    "ConnectionLimits",
    "FirstStep",
    "HeadLimits",
    "Listeners",
    "Server",
    "ServerLimits",
    "Tls",
    "open_listeners",
    "run",
    "serve",
]
