"""Hosts behind a helper that stand in for whole machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio
import trio.testing

from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.jobs.in_process import InProcessJobs
from manor_hostservices.places import Places
from manor_hostservices.programs import WrittenDown
from manor_hostservices.refusals import Failed
from manor_hostservices.verbs import (
    Backups,
    SetBackupStore,
    Verb,
)
from tests.host_jobs import Working, new_ledger

A = TypeVar("A")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxbR0Ww0bo0EXWWpp9BpZ/hIYYzZ0cUcmFm8QhgK3Fk"
HASH = "$6$saltsalt$" + "x" * 86


class Store:
    """Backups that know nothing and take no credentials."""

    async def known(self) -> Backups:
        return Backups("NO_KEY", snapshots=[{"short_id": "0a1b2c3d"}])

    async def set_store(self, verb: SetBackupStore) -> None:
        raise Failed(f"The store does not let {verb.account} in")


def sandbox(root: Path) -> Desk:
    """A whole host that is a folder; it checks what it is told as every host does."""
    config = HostConfig(backend="sandbox", root=str(root), dkim_file="/var/dkim/a.txt")
    backend = Sandbox(config, Places(root), WrittenDown())

    async def work(report: object) -> None:
        await trio.sleep_forever()

    return Desk(backend, InProcessJobs(new_ledger(root), backend, Working(work)), Store())


class Answers:
    """A host that does as a test says.

    Args:
        answer: Takes a verb and gives the answer.
    """

    def __init__(self, answer: Callable[[Verb[Any]], Awaitable[Any]]) -> None:
        self._answer = answer

    async def ask(self, verb: Verb[A]) -> A:
        answer: A = await self._answer(verb)
        return answer


class Nobody:
    """A host that must not be asked."""

    async def ask(self, verb: Verb[A]) -> A:
        raise AssertionError(f"asked {verb!r}")


def at(folder: Path) -> Path:
    return folder / "helper.sock"


def line(**members: object) -> bytes:
    """A verb as it is sent, right or not."""
    return msgspec.json.encode(members) + b"\n"
