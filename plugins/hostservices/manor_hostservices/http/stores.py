"""Where backups go: said by devices, and tried before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from manor import Conflict, Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.backups.destination import Destination, Found, Need, Tried
from manor_hostservices.backups.standing import Standing, standing
from manor_hostservices.http.api import HOST_API, ONLY_DEVICES, missing_fields, said, told
from manor_hostservices.jobs.exclusion import REPOSITORY
from manor_hostservices.parts import Shared
from manor_hostservices.verbs import Job, SetBackupStore

ALREADY = "Backup is already running"
INITIALIZING = "Backup is initializing"
RESTORING = "Backup is being restored"

MOST_TRIED = 2
"""Stores that are tried at once, by whomever: each holds one of the root helper's connections for half a minute."""

_RETRY_SECONDS = 10

_SIGNS = r"^[!-~]+\Z"
"""What a store gives out has no blanks, and can stand in a variable."""

_MAYBE_SIGNS = r"^[!-~]*\Z"
_BUCKET = r"[A-Za-z0-9][A-Za-z0-9.-]{1,62}"

_MEMBERS: dict[Need, str] = {"account": "accountId", "secret": "accountKey", "bucket": "bucket"}


class StoreSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Where backups go, and the credentials for it."""

    account_id: Annotated[str, Meta(max_length=200, pattern=_SIGNS)]
    account_key: Annotated[str, Meta(max_length=500, pattern=_SIGNS)]
    bucket: Annotated[str, Meta(pattern=rf"^{_BUCKET}\Z")]

    def __repr__(self) -> str:
        """Without the credentials, whatever log or traceback it lands in."""
        return f"StoreSettings(bucket={self.bucket!r})"


class TriedSettings(msgspec.Struct, frozen=True, rename="camel"):
    """The same, to be tried: what the repository in the admin's table does not ask for may be left out."""

    account_id: Annotated[str, Meta(max_length=200, pattern=_MAYBE_SIGNS)] = ""
    account_key: Annotated[str, Meta(max_length=500, pattern=_MAYBE_SIGNS)] = ""
    bucket: Annotated[str, Meta(pattern=rf"^({_BUCKET})?\Z")] = ""

    def __repr__(self) -> str:
        """Without the credentials, whatever log or traceback it lands in."""
        return f"TriedSettings(bucket={self.bucket!r})"

    def lacking(self, needs: Sequence[Need]) -> list[Need]:
        """What is needed and not there."""
        given = {"account": self.account_id, "secret": self.account_key, "bucket": self.bucket}
        return [need for need in needs if not given[need]]


class StoreTried(msgspec.Struct, frozen=True):
    """What came of it: whether backups would get there, what was found, and a sentence for people."""

    ok: bool
    found: Found
    message: str


class Stores:
    """Tries where backups are to go, and keeps it; for devices and for the pages.

    Args:
        shared: What all parts use.

    Attributes:
        destination: What the admin's table says of it.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._acting = shared.acting
        self._jobs = shared.jobs
        self._limits = shared.context.limits
        self.destination = Destination.of(shared.config.backup.repository)

    async def try_out(self, wanted: TriedSettings) -> Tried:
        """Have restic look there; nothing is kept.

        Raises:
            BadRequest: Something is missing.
            TooManyRequests: Others are being tried.
            Unavailable: This host cannot try.
        """
        if lacking := wanted.lacking(self.destination.needs):
            raise missing_fields(*(_MEMBERS[need] for need in lacking))
        held = self._limits.hold("tests of a store", "host", MOST_TRIED, retry_after=_RETRY_SECONDS)
        try:
            with told():
                verb = SetBackupStore(wanted.account_id, wanted.account_key, wanted.bucket, test=True)
                tried = await self._host.ask(verb)
        finally:
            held.release()
        return tried or Tried("other", "The root helper does not say what it found: restart manor-host.service")

    async def keep(self, store: SetBackupStore | None, *, by: str) -> Job:
        """Keep where backups go, and begin to set the repository up.

        Args:
            store: The credentials; None where none are asked for, and nothing is to be kept.
            by: Who has it done.

        Raises:
            Conflict: There is work with the repository, and nothing was kept.
        """

        async def keep_it() -> None:
            now = await standing(self._host)
            check_idle(now)
            if (other := now.running(*REPOSITORY, "reboot")) is not None:
                # The repository could not be set up beside it, and what is refused must not be kept.
                raise Conflict(f"A job is running: {other.kind}")
            if store is not None:
                await self._acting.change(store, by=by)

        with told():
            return await self._jobs.start("init", by=by, first=keep_it)


def check_idle(now: Standing) -> None:
    """Check that nothing is done with the repository that devices are told of."""
    match now.state:
        case "BACKING_UP":
            raise Conflict(ALREADY)
        case "RESTORING":
            raise Conflict(RESTORING)
        case "INITIALIZING":
            raise Conflict(INITIALIZING)


class StoreHandlers:
    """One method for each operation.

    Args:
        stores: Tries and keeps.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def set(self, request: Request[StoreSettings]) -> Reply:
        """Keep where backups go, and begin to set the repository up."""
        wanted = request.body
        store = SetBackupStore(wanted.account_id, wanted.account_key, wanted.bucket)
        await self._stores.keep(store, by=caller(request))
        return said("New Backblaze settings saved")

    async def test(self, request: Request[TriedSettings]) -> StoreTried:
        """Try where backups are to go before it is kept; nothing is changed. Half a minute at most."""
        tried = await self._stores.try_out(request.body)
        return StoreTried(tried.is_fine, tried.found, tried.detail)


def store_routes(handlers: StoreHandlers) -> Sequence[Route]:
    """The operations."""
    return [
        Route(
            "PUT",
            "/services/restic/backblaze/config",
            handlers.set,
            api=HOST_API,
            access=ONLY_DEVICES,
            body=StoreSettings,
            returns=str,
        ),
        Route(
            "POST",
            "/api/host/backups/test",
            handlers.test,
            api=HOST_API,
            access=ONLY_DEVICES,
            body=TriedSettings,
            returns=StoreTried,
            errors=(503,),
        ),
    ]
