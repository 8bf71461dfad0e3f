"""Administrators in front of the host's pages, in tests."""

from __future__ import annotations

from collections.abc import Callable

import trio

from manor.testing import Client, House
from tests.page_reading import Page, Reader
from tests.people import PASSWORD, made

HOME = "/app/host"
JOBS = f"{HOME}/jobs"
BACKUPS = f"{HOME}/backups"


async def browser_of(house: House, client: Client, username: str, *, is_admin: bool) -> Reader:
    """The browser of somebody who has just signed in."""
    await made(house, username, is_admin=is_admin)
    reader = Reader(client)
    await reader.open("/login")
    await reader.send("/login", login=username, password=PASSWORD)
    return reader


async def until(root: Reader, url: str, is_so: Callable[[Page], bool]) -> Page:
    """The page, once it says so."""
    with trio.fail_after(10):
        while True:
            page = await root.open(url)
            if is_so(page):
                return page
            await trio.sleep(0.02)


async def after_job(root: Reader, page: Page) -> Page:
    """The page of a job that has ended."""
    return await until(root, page.url, lambda page: "not yet" not in page.text)
