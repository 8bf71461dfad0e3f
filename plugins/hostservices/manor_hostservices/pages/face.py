"""What the pages have in common: who opens them, and how they say what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from manor import (
    ADMIN,
    Forbidden,
    NotFound,
    Pages,
    Rate,
    Refused,
    Reply,
    Request,
    Route,
    Transaction,
    Unavailable,
    find_credential,
    find_user,
    local_path,
    page_api,
    redirect,
    troubles_of,
)
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.pages.fresh import Freshness
from manor_hostservices.parts import Shared

HOME = "/app/host"
UNLOCK = f"{HOME}/unlock"

HOST_PAGES = replace(page_api("host pages"), anonymous_rate=Rate(120), signed_in_rate=Rate(600))

KINDS: Mapping[str, str] = {
    "apply": "Apply the configuration",
    "upgrade": "Upgrade",
    "rollback": "Roll back",
    "reboot": "Restart",
    "backup": "Backup",
    "restore": "Restore",
    "init": "Set up the repository",
    "reload": "List the backups",
    "verify": "Verify the backups",
    "forget": "Thin out the backups",
}

Handler = Callable[[Request[Any, Any]], Awaitable[Any]]


class PasswordForm(msgspec.Struct, frozen=True):
    """The password, and where to go on."""

    password: str = ""
    next: str = ""

    def __repr__(self) -> str:
        """Without it, whatever log or traceback it lands in."""
        return "PasswordForm(…)"


class Face:
    """Renders pages, and lets in administrators who have just signed in.

    Args:
        shared: What all parts use.
        pages: The plugin's templates.
        freshness: Knows whose sign-in is fresh.
    """

    def __init__(self, shared: Shared, pages: Pages, freshness: Freshness) -> None:
        self._shared = shared
        self._pages = pages
        self._freshness = freshness

    def page(self, method: str, path: str, handler: Handler, *, is_stream: bool = False, **more: Any) -> Route:
        """Make a route that asks for the password again when the sign-in is not fresh.

        Args:
            method: Upper case.
            path: As for `Route`.
            handler: Takes a `Request`.
            is_stream: Whether nobody is there to type a password.
            more: As for `Pages.page`.
        """

        @functools.wraps(handler)
        async def guarded(request: Request[Any, Any]) -> Any:
            if not await self._freshness.holds(request):
                return await self._stop(request, is_stream=is_stream)
            try:
                return await handler(request)
            except Unavailable as refused:
                if is_stream:
                    raise
                # What the page is about cannot even be looked at; other pages may do.
                return await self.show(request, "unread.html", refused)

        return self._pages.page(method, path, guarded, api=HOST_PAGES, access=ADMIN, **more)

    def routes(self) -> list[Route]:
        """Where the password is typed again, and the pages' files."""
        page = functools.partial(self._pages.page, api=HOST_PAGES, access=ADMIN, returns=Reply)
        return [
            *self._pages.routes(),
            page("GET", UNLOCK, self.show_lock),
            page("POST", UNLOCK, self.unlock, form=PasswordForm),
        ]

    async def show(
        self, request: Request[Any, Any], template: str, refused: Refused | None = None, **values: Any
    ) -> Reply:
        """Make a page; with a refusal it says what was not done, and why.

        Args:
            request: What it answers.
            template: Its name.
            refused: Why something was not done.
            values: What the template shows.
        """
        known = {
            "home": HOME,
            "kinds": KINDS,
            "size": size,
            "span": span,
            "moment": moment,
            "troubles": troubles_of(refused) if refused is not None else {},
            "read_only": await self._shared.hosting.trouble(),
            "done": "",
            "made_at": self._shared.context.clock.now(),
        }
        status = 200 if refused is None else refused.status
        page = self._pages.render(request, template, status=status, **{**known, **values})
        return page if refused is None else replace(page, headers={**page.headers, **refused.headers})

    async def names(self, jobs: Sequence[KnownJob]) -> dict[str, str]:
        """What those who asked for jobs are called, by what `by` says."""
        storage = self._shared.context.storage
        asked = {job.by for job in jobs}
        return await storage.read(lambda transaction: {by: _name(transaction, by) for by in asked})

    # --- The password again ----------------------------------------------------------------------------------------

    async def show_lock(self, request: Request) -> Reply:
        """Ask for the password."""
        return await self._ask(request, HOME)

    async def unlock(self, request: Request[PasswordForm]) -> Reply:
        """Take the password."""
        way_on = local_path(request.body.next, HOME)
        try:
            await self._freshness.prove(request, request.body.password)
        except Refused as refused:
            if refused.status == 401:
                raise
            page = await self._ask(request, way_on, status=refused.status, refused=refused)
            return replace(page, headers={**page.headers, **refused.headers})
        return redirect(way_on)

    async def _stop(self, request: Request[Any, Any], *, is_stream: bool) -> Reply:
        if is_stream:
            raise Forbidden("Load the page again, and enter your password")
        way_on = local_path(request.head.way_back, HOME)
        return await self._ask(request, way_on, status=403, was_sent=request.head.method != "GET")

    async def _ask(
        self,
        request: Request[Any, Any],
        way_on: str,
        *,
        status: int = 200,
        was_sent: bool = False,
        refused: Refused | None = None,
    ) -> Reply:
        return self._pages.render(
            request,
            "lock.html",
            status=status,
            home=HOME,
            username=await self._shared.context.storage.read(lambda tx: _name(tx, str(request.user_id))),
            way_on=way_on,
            was_sent=was_sent,
            troubles=troubles_of(refused, "password") if refused is not None else {},
        )


def not_there(what: str) -> NotFound:
    """The refusal of a page about something that is not there."""
    return NotFound(f"There is no such {what}")


def size(count: int | None) -> str:
    """Bytes for people; nobody may count them."""
    if count is None:
        return "unknown"
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def span(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(at: datetime) -> str:
    """A time as pages show it where no script tells it in the reader's zone."""
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _name(transaction: Transaction, by: str) -> str:
    try:
        id_ = UUID(by)
    except ValueError:
        return "the schedule" if by == "schedule" else "somebody who is gone"
    if (user := find_user(transaction, user_id=id_)) is not None:
        return user.username
    if (device := find_credential(transaction, id_)) is not None:
        return device.label or "a device"
    return "somebody who is gone"
