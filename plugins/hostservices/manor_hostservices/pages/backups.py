"""Backups in a browser: what there is, and where they go, which is tried before it is saved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from manor import BadRequest, Refused, Reply, Request, Route, redirect
from manor_hostservices.backups.destination import Destination, Need, Tried
from manor_hostservices.backups.standing import standing
from manor_hostservices.http.api import told
from manor_hostservices.http.stores import Stores, TriedSettings
from manor_hostservices.pages.face import HOME, Face
from manor_hostservices.parts import Shared
from manor_hostservices.verbs import SetBackupStore

BACKUPS = f"{HOME}/backups"

_KINDS: Mapping[str, str] = {
    "b2": "Backblaze B2",
    "s3": "an S3 store",
    "azure": "Azure",
    "sftp": "a server, by SFTP",
    "rest": "a REST server",
    "rclone": "what rclone knows",
    "local": "a folder",
}
_ACCOUNTS: Mapping[str, tuple[str, str]] = {
    "b2": ("Id of the application key", "Application key"),
    "s3": ("Access key", "Secret key"),
    "azure": ("Storage account", "Key of the account"),
}
_BUCKETS: Mapping[str, str] = {"b2": "Bucket", "s3": "Bucket", "azure": "Container"}

_SHORT_ID = re.compile(r"[0-9a-f]{8,64}")


class StoreForm(msgspec.Struct, frozen=True):
    """Where backups go, as it is typed."""

    turn: Literal["test", "save"]
    account: str = ""
    secret: str = ""
    bucket: str = ""

    def __repr__(self) -> str:
        """Without the credentials, whatever log or traceback it lands in."""
        return f"StoreForm(turn={self.turn!r})"


class StoreFields(msgspec.Struct, frozen=True):
    """The form as the page shows it: what there is to type, by name; and what was typed, without the secret."""

    kind: str
    repository: str
    labels: dict[Need, str]
    account: str = ""
    bucket: str = ""

    @classmethod
    def of(cls, destination: Destination, typed: StoreForm | None) -> StoreFields:
        """For the store that the administrator's table names."""
        account, secret = _ACCOUNTS.get(destination.kind, ("Account", "Key"))
        labels = {"account": account, "secret": secret, "bucket": _BUCKETS.get(destination.kind, "Name")}
        return cls(
            _KINDS.get(destination.kind, destination.kind),
            destination.shown,
            {need: labels[need] for need in destination.needs},
            "" if typed is None else typed.account,
            "" if typed is None else typed.bucket,
        )


class Kept(msgspec.Struct, frozen=True):
    """A backup as the page shows it: restic's own words."""

    short_id: str
    time: str
    hostname: str
    paths: str


class BackupPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
    """

    def __init__(self, shared: Shared, face: Face) -> None:
        self._host = shared.host
        self._jobs = shared.jobs
        self._face = face
        self._stores = Stores(shared)

    def routes(self) -> list[Route]:
        """The page, and its form."""
        page = self._face.page
        return [
            page("GET", BACKUPS, self.show, returns=Reply),
            page("POST", BACKUPS, self.store, form=StoreForm, returns=Reply),
        ]

    async def show(self, request: Request) -> Reply:
        """What was backed up."""
        return await self._page(request)

    async def store(self, request: Request[StoreForm]) -> Reply:
        """Try where backups are to go, or save it."""
        form = request.body
        tried: Tried | None = None
        try:
            settings = self._settings(form)
            if form.turn == "save":
                store = SetBackupStore(settings.account_id, settings.account_key, settings.bucket)
                needs_none = not self._stores.destination.needs
                job = await self._stores.keep(None if needs_none else store, by=str(request.user_id))
                return redirect(f"{HOME}/jobs/{job.id}")
            tried = await self._stores.try_out(settings)
        except Refused as refused:
            return await self._page(request, refused, typed=form)
        return await self._page(request, typed=form, tried=tried)

    def _settings(self, form: StoreForm) -> TriedSettings:
        """What was typed, without blanks around it.

        Raises:
            BadRequest: Something is missing, or cannot be one.
        """
        destination = self._stores.destination
        given = {"accountId": form.account.strip(), "accountKey": form.secret.strip(), "bucket": form.bucket.strip()}
        labels = StoreFields.of(destination, None).labels
        try:
            settings = msgspec.convert(given, TriedSettings)
        except msgspec.ValidationError as error:
            raise BadRequest(
                "Credentials are letters, digits and signs, without blanks; a bucket's name has 2 to 63 letters, "
                "digits, dots and dashes, and begins with a letter or digit"
            ) from error
        if lacking := settings.lacking(destination.needs):
            raise BadRequest(f"Fill in: {', '.join(labels[need] for need in lacking)}")
        return settings

    async def _page(
        self,
        request: Request[Any, Any],
        refused: Refused | None = None,
        *,
        typed: StoreForm | None = None,
        tried: Tried | None = None,
    ) -> Reply:
        with told():
            stands = await standing(self._host)
        jobs = await self._jobs.running()
        return await self._face.show(
            request,
            "backups.html",
            refused,
            stands=stands,
            kept=_kept(stands.snapshots),
            jobs=jobs,
            names=await self._face.names(jobs),
            store=StoreFields.of(self._stores.destination, typed),
            is_store_open=typed is not None or stands.state == "NO_KEY",
            tried=tried,
        )


def _kept(snapshots: Sequence[Mapping[str, Any]]) -> list[Kept]:
    """Backups, newest first."""
    found = []
    for each in reversed(snapshots):
        paths = each.get("paths")
        kept = Kept(
            str(each.get("short_id", "")),
            str(each.get("time", "")),
            str(each.get("hostname", "")),
            ", ".join(map(str, paths)) if isinstance(paths, list) else "",
        )
        if _SHORT_ID.fullmatch(kept.short_id):
            found.append(kept)
    return found
