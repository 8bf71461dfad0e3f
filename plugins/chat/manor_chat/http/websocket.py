"""`GET /api/v4/websocket`."""

from __future__ import annotations

from collections.abc import Sequence

from manor import PUBLIC, Api, Route, Upgrade
from manor_chat.http.api import operation
from manor_chat.socket.conversing import Sockets
from manor_chat.socket.entering import SocketQuery


def websocket_routes(api: Api, sockets: Sockets) -> Sequence[Route]:
    """The socket. Public: a client may say within it who it is."""
    return [
        operation(
            api,
            "GET /websocket",
            sockets.open,
            access=PUBLIC,
            tag="system",
            query=SocketQuery,
            websocket=Upgrade.ONLY,
        )
    ]
