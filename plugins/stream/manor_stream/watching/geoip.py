"""Where addresses are, when the admin gave a database that says so."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import maxminddb
import msgspec
import trio

from manor_stream.logbook import Logbook

MOST_KEPT = 20_000
"""Addresses whose place is remembered; one takes some hundred microseconds to look up."""

LONGEST_NAME = 200

# What reading a file that is none of theirs, or was damaged, raises besides the library's own error.
_UNREADABLE = (maxminddb.InvalidDatabaseError, ValueError, TypeError, IndexError, OSError)


class Geo(msgspec.Struct, frozen=True, rename="camel"):
    """A place, as the API has it; "" where the database does not say.

    Args:
        country_code: Two letters (ISO 3166-1).
        region_name: In English.
        time_zone: Such as `Europe/Amsterdam`.
    """

    country_code: str
    region_name: str
    time_zone: str


def check_database(path: str) -> None:
    """See that this is a MaxMind database, or "" for none.

    Raises:
        ValueError: It is not.
    """
    if not path:
        return
    try:
        _open(path).close()
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ValueError(f"expected a MaxMind database, {path}: {error.strerror}") from error
    except _UNREADABLE as error:
        raise ValueError(f"expected a MaxMind database, {path} is none") from error


class GeoIp:
    """Looks addresses up; nobody is found without a database.

    Args:
        path: The database; "" for none.
        logbook: Where it is said that it cannot be read.
    """

    def __init__(self, path: str, logbook: Logbook) -> None:
        self._path = path
        self._logbook = logbook
        self._reader: maxminddb.Reader | None = None
        self._is_broken = False
        self._known: OrderedDict[str, Geo | None] = OrderedDict()
        self._reading = trio.CapacityLimiter(1)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open the database, if there is one."""
        if self._path:
            try:
                self._reader = _open(self._path)
            except _UNREADABLE as error:
                self._tell(error)
        try:
            yield
        finally:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    async def look_up(self, addresses: Iterable[str]) -> dict[str, Geo]:
        """The places of those addresses that have one. Never fails: who cannot be found is left out."""
        if self._reader is None:
            return {}
        wanted = set(addresses)
        unknown = [address for address in wanted if address not in self._known]
        if unknown:
            for address, geo in (await trio.to_thread.run_sync(self._read, unknown, limiter=self._reading)).items():
                self._known[address] = geo
        found = {address: geo for address in wanted if (geo := self._known.get(address)) is not None}
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        return found

    def _read(self, addresses: list[str]) -> dict[str, Geo | None]:
        """On a thread: the disk is asked."""
        found: dict[str, Geo | None] = {}
        for address in addresses:
            try:
                assert self._reader is not None, "looked up after it was closed"
                found[address] = _geo_of(self._reader.get(address))
            except _UNREADABLE as error:
                # A name in place of an address, or IPv6 in a database of IPv4, is no fault of the database.
                if isinstance(error, maxminddb.InvalidDatabaseError | OSError):
                    trio.from_thread.run_sync(self._tell, error)
                found[address] = None
        return found

    def _tell(self, error: Exception) -> None:
        """Once: a damaged file would fill the log."""
        if not self._is_broken:
            self._is_broken = True
            self._logbook.warning(f"The GeoIP database {self._path} cannot be read: {error}")


def _open(path: str) -> maxminddb.Reader:
    # Read, not mapped: a file that is cut short while it is mapped would end the daemon.
    return maxminddb.open_database(path, maxminddb.MODE_FILE)


def _geo_of(record: Any) -> Geo | None:
    """What databases of cities and of countries call it; whatever else they hold is left out."""
    if not isinstance(record, dict):
        return None
    country = _text(record, "country", "iso_code") or _text(record, "registered_country", "iso_code")
    subdivisions = record.get("subdivisions")
    region = _text(subdivisions[0], "names", "en") if isinstance(subdivisions, list) and subdivisions else ""
    geo = Geo(country, region, _text(record, "location", "time_zone"))
    return geo if geo != Geo("", "", "") else None


def _text(record: Any, *names: str) -> str:
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record[:LONGEST_NAME] if isinstance(record, str) else ""
