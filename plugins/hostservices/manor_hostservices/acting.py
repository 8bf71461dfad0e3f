"""Changes to the host, and who made them."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import trio

from manor import PluginContext, Request, Transaction
from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.refusals import Failed, HostRefusal
from manor_hostservices.verbs import Verb

A = TypeVar("A")

_TARGETS = ("key", "name", "user", "zone", "bucket", "kind", "id")
"""Members of verbs that say what is changed, in the order in which they are looked for."""


class Acting:
    """Asks the host to change, and writes down in the audit log who had it changed.

    Args:
        context: The plugin's own.
        host: The host.
    """

    def __init__(self, context: PluginContext[HostConfig], host: Host) -> None:
        self._storage = context.storage
        self._audit = context.audit
        self._host = host

    async def change(self, verb: Verb[A], *, by: str) -> A:
        """Have a verb done, and write that down, also when whoever asked goes meanwhile: it is done all the same.

        What the host refuses is not written down, for nothing happened; what failed is, for half of it may have.

        Args:
            verb: What is to be done.
            by: Who has it done: a device's or a person's id, or `schedule`.

        Raises:
            HostRefusal: The host says no.
        """
        outcome: Literal["done", "failed", "refused", "unknown"] = "unknown"
        try:
            answer = await self._host.ask(verb)
            outcome = "done"
        except HostRefusal as refusal:
            outcome = "failed" if isinstance(refusal, Failed) else "refused"
            raise
        finally:
            if outcome != "refused":
                with trio.CancelScope(shield=True):
                    await self._note(verb, by, None if outcome == "done" else {"outcome": outcome})
        return answer

    async def _note(self, verb: Verb[Any], by: str, detail: dict[str, str] | None) -> None:
        action = f"hostservices.{verb.__struct_config__.tag}"

        def note(transaction: Transaction) -> None:
            self._audit.record(transaction, action, actor=by, target=_target(verb), detail=detail)

        await self._storage.write(note)


def caller(request: Request[Any, Any]) -> str:
    """Who asks: the id of a device, or of a person; "" when nobody is behind the request."""
    for principal in request.principals:
        if principal.credential_id is not None:
            return str(principal.credential_id)
        if principal.user_id is not None:
            return str(principal.user_id)
    return ""


def _target(verb: Verb[Any]) -> str:
    if hasattr(verb, "user"):
        return str(verb.user)  # its key is long, and in the host's own files
    return next((str(getattr(verb, name)) for name in _TARGETS if hasattr(verb, name)), "")
