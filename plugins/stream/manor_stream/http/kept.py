"""What administrators make, list and delete, each kind at three operations of one shape: tokens and webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from manor import Reply, Request, Route
from manor_stream.http.api import BasicResponse, admin_route

BODY_LIMIT = 16_384


class Keeper(Protocol):
    """One method for each operation."""

    def list(self, request: Request) -> Awaitable[Sequence[Any]]:
        """All of them, without their secrets."""
        ...

    def create(self, request: Request[Any]) -> Awaitable[Reply]:
        """Make one; its secret is in this answer and nowhere else."""
        ...

    def delete(self, request: Request[Any]) -> Awaitable[Reply]:
        """Delete one."""
        ...


def kept_routes(
    path: str,
    keeper: Keeper,
    *,
    listed: Any,
    create: Any,
    made: Any,
    delete: Any,
) -> list[Route]:
    """List, create, delete.

    Args:
        path: Where they are listed; `/create` and `/delete` are below.
        keeper: Does it.
        listed: What the list is.
        create: The body that makes one.
        made: What answers it.
        delete: The body that deletes one.
    """
    return [
        admin_route("GET", path, keeper.list, returns=listed),
        admin_route("POST", f"{path}/create", keeper.create, body=create, body_limit=BODY_LIMIT, returns=made),
        admin_route("POST", f"{path}/delete", keeper.delete, body=delete, body_limit=BODY_LIMIT, returns=BasicResponse),
    ]
