"""What the window lists, brought to one bucket and cleared away there again."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from manor import Blobs, BlobsFailed, StorageFull
from manor_stream.hls.window import Window
from manor_stream.logbook import Logbook
from manor_stream.shipping.listing import ENDED, names_in

FOLDER = "hls"
PLAYLIST = "stream.m3u8"

PLAYLIST_TYPE = "application/x-mpegURL"
SEGMENT_TYPE = "video/mp2t"
PLAYLIST_CACHING = "no-cache"
SEGMENT_CACHING = "public, max-age=60, immutable"

MOST_AT_ONCE = 2
"""Uploads that run at the same time."""

TRIES = 4

MOST_BEHIND = 3
"""Segments that are listed here and not yet there; with more, viewers of the bucket would stand still."""

PROVEN = 3
"""Playlists of each variant that get through in a row after a failure, before viewers are sent there again."""

SLOW = 0.9
"""Of a segment's length: an upload that takes longer hardly keeps up."""

KEPT_AFTERWARDS = 10
"""Segments that are kept behind those of the playlist (contract of the Owncast API)."""

MOST_KNOWN = 5_000
"""Names that are remembered of a variant when the bucket lets nothing be deleted."""

_OURS = re.compile(rf"{FOLDER}/[0-9]{{1,2}}/[^/]+\.(ts|m3u8)")


@dataclass(frozen=True)
class Patience:
    """How long things may take, in seconds.

    Args:
        first_wait: Before the second try, more or less; doubled for each further one.
        upload: For one try, at least; twice the segment's length when that is more.
        again: After a failure, when no new segment comes before.
        clearing: Between two clearings.
        reading: Between two looks at whether browsers can read it, while they cannot.
    """

    first_wait: float = 0.25
    upload: float = 5.0
    again: float = 5.0
    clearing: float = 60.0
    reading: float = 60.0


@dataclass
class _Track:
    """One variant, as it stands in the bucket.

    Args:
        known: Names of segments that are there, or may be; True for those that are. The oldest first.
        playlist: The one that is there, as the window rendered it.
        streak: Playlists that got through since the last failure.
        news: Set when the window tells of a segment.
        is_slow: Whether the last upload took too long.
        is_spoiled: Whether something was removed that the playlist under way lists, or that very playlist.
    """

    known: dict[str, bool] = field(default_factory=dict)
    playlist: bytes | None = None
    streak: int = 0
    news: trio.Event = field(default_factory=trio.Event)
    is_slow: bool = False
    is_spoiled: bool = False


class Shipment:
    """Brings segments to a bucket: each before the playlist that lists it.

    What is to be done is read from the window each time, so nothing queues up: a segment that no playlist lists any
    more is given up, and after an outage whatever is listed is brought.

    Args:
        blobs: The bucket, which tries once.
        window: What there is.
        logbook: Told when it fails, and when it works again.
        patience: How long things may take.
        on_shipped: Called with the variant whenever a playlist of it got through.

    Attributes:
        trouble: Why segments do not get through; None when they do.
    """

    def __init__(
        self,
        blobs: Blobs,
        window: Window,
        logbook: Logbook,
        patience: Patience,
        *,
        on_shipped: Callable[[int], None] = lambda variant: None,
    ) -> None:
        self.trouble: str | None = None
        self._blobs = blobs
        self._window = window
        self._logbook = logbook
        self._patience = patience
        self._on_shipped = on_shipped
        self._tracks: list[_Track] = []
        self._turn = trio.CapacityLimiter(MOST_AT_ONCE)
        self._wanted_streak = 1
        self._is_trusted = False
        self._more = trio.Event()
        self._clear = trio.Event()
        self._has_shipped = False
        self._cannot_clear = False

    def serves(self, variant: int) -> bool:
        """Whether viewers find everything there."""
        return self._is_trusted and variant < len(self._tracks)

    def note(self, variant: int) -> None:
        """The window lists another segment."""
        if variant >= len(self._tracks):
            self._more.set()
            return
        self._tracks[variant].news.set()
        self._see()
        if self._is_trusted and self._behind(variant) > MOST_BEHIND:
            self._fail(f"more than {MOST_BEHIND} segments wait")

    async def run(self) -> None:
        """Ship all variants, those that come later too, and clear up behind."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._clear_up)
            while True:
                self._more = trio.Event()
                while len(self._tracks) < len(self._window.variants):
                    self._tracks.append(_Track())
                    nursery.start_soon(self._ship, len(self._tracks) - 1)
                await self._more.wait()

    # --- Bringing --------------------------------------------------------------------------------------------------

    async def _ship(self, variant: int) -> None:
        track = self._tracks[variant]
        while True:
            track.news = trio.Event()
            body = self._window.playlist(variant)
            if body is None or body is track.playlist:
                await track.news.wait()
                continue
            try:
                await self._bring(variant, body)
            except (BlobsFailed, StorageFull) as failed:
                self._fail(str(failed))
                with trio.move_on_after(self._patience.again):
                    await track.news.wait()

    async def _bring(self, variant: int, body: bytes) -> None:
        """Upload what this playlist lists, and then itself, unless it was overtaken by what lists none of that."""
        track = self._tracks[variant]
        track.is_spoiled = False
        for name in self._missing(variant, body):
            segment = self._window.find(variant, name)
            if segment is None and body is self._window.playlist(variant):
                continue  # listed and not there: players here miss it, too
            if segment is None or not await self._bring_segment(variant, name, segment.data, segment.seconds):
                return
        longest = self._patience.upload

        async def put() -> object:
            return await self._blobs.put(
                _key(variant, PLAYLIST), body, content_type=PLAYLIST_TYPE, cache_control=PLAYLIST_CACHING
            )

        await self._try(put, longest)
        if track.is_spoiled:
            return
        track.playlist = body
        self._succeed(variant)
        if _is_ended(body):
            self._clear.set()

    async def _bring_segment(self, variant: int, name: str, data: bytes, seconds: float) -> bool:
        """Upload a segment; whether it is there now. One that no playlist lists any more is given up."""
        track = self._tracks[variant]
        track.known[name] = False

        async def put() -> object:
            return await self._blobs.put(
                _key(variant, name), data, content_type=SEGMENT_TYPE, cache_control=SEGMENT_CACHING
            )

        def is_wanted() -> bool:
            return name in names_in(self._window.playlist(variant) or b"")

        took = await self._try(put, max(self._patience.upload, 2 * seconds), is_wanted)
        if took is None or track.is_spoiled:
            # What was removed may be this one, and nobody knows which came first.
            return False
        track.known[name] = True
        if took > SLOW * seconds and not track.is_slow:
            self._logbook.warning(
                f"S3 hardly keeps up: a segment of {seconds:.1f} s took {took:.1f} s to upload; a lower bitrate, or "
                f"longer segments, would help"
            )
        track.is_slow = took > SLOW * seconds
        return True

    async def _try(
        self, put: Callable[[], Awaitable[object]], longest: float, is_wanted: Callable[[], bool] = lambda: True
    ) -> float | None:
        """Upload something, several times if need be; gives the seconds that it took, None once it is not wanted.

        Raises:
            BlobsFailed: It did not get through.
            StorageFull: There is no room.
        """
        wait = self._patience.first_wait
        for left in reversed(range(TRIES)):
            async with self._turn:
                if not is_wanted():
                    return None
                began = trio.current_time()
                try:
                    with trio.move_on_after(longest):
                        await put()
                        return trio.current_time() - began
                    failed = BlobsFailed(f"no answer within {longest:g} s")
                except BlobsFailed as error:
                    failed = error
            if not left or not failed.may_pass:
                raise failed
            await trio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing
            wait *= 2
        return None

    def _missing(self, variant: int, body: bytes | None) -> list[str]:
        known = self._tracks[variant].known
        return [name for name in dict.fromkeys(names_in(body or b"")) if not known.get(name)]

    # --- How it goes -----------------------------------------------------------------------------------------------

    def _fail(self, reason: str) -> None:
        for track in self._tracks:
            track.streak = 0
        self._wanted_streak = PROVEN
        self._is_trusted = False
        if self.trouble is None:
            self._logbook.warning(
                f"Segments do not get to S3, so viewers are served from here until they do again: {reason}"
            )
        self.trouble = f"segments do not get to S3: {reason}"

    def _succeed(self, variant: int) -> None:
        self._on_shipped(variant)
        track = self._tracks[variant]
        if track.playlist is self._window.playlist(variant) and _is_ended(track.playlist):
            # Nothing comes that could prove more.
            track.streak = max(track.streak, self._wanted_streak)
        elif self._behind(variant) <= MOST_BEHIND:
            track.streak += 1
        self._see()
        if not self._has_shipped:
            self._has_shipped = True
            self._clear.set()
        if self.trouble is not None and self._is_trusted:
            self.trouble = None
            self._logbook.info("Segments get to S3 again, and viewers are sent there")

    def _see(self) -> None:
        """Decide anew whether viewers are sent there."""
        count = len(self._window.variants)
        self._is_trusted = 0 < count <= len(self._tracks) and all(map(self._is_current, range(count)))

    def _is_current(self, variant: int) -> bool:
        track, here = self._tracks[variant], self._window.playlist(variant)
        # Players take a list that has ended at its word: they would not come back for the broadcast that began since.
        return track.streak >= self._wanted_streak and (here is None or _is_ended(here) == _is_ended(track.playlist))

    def _behind(self, variant: int) -> int:
        return len(self._missing(variant, self._window.playlist(variant)))

    # --- Clearing up -----------------------------------------------------------------------------------------------

    async def _clear_up(self) -> None:
        """Remove what earlier broadcasts left, once something got through; then what left the playlists."""
        await self._clear.wait()
        await self._clearing(self._remove_leftovers)
        while True:
            self._clear = trio.Event()
            with trio.move_on_after(self._patience.clearing):
                await self._clear.wait()
            await self._clearing(self._remove_old)

    async def _clearing(self, remove: Callable[[], Awaitable[None]]) -> None:
        try:
            await remove()
        except (BlobsFailed, StorageFull) as failed:
            if not self._cannot_clear:
                self._logbook.warning(f"Old segments cannot be removed from S3: {failed}")
            self._cannot_clear = True
        else:
            self._cannot_clear = False

    async def _remove_leftovers(self) -> None:
        after, is_more = "", True
        while is_more:
            page = await self._blobs.page(f"{FOLDER}/", after=after)
            after, is_more = page.after, bool(page.after)
            keys = [blob.key for blob in page.blobs if _OURS.fullmatch(blob.key)]
            await self._remove([key for key in keys if not self._is_ours_now(key)])

    def _is_ours_now(self, key: str) -> bool:
        variant, name = _place_of(key)
        if variant >= len(self._tracks):
            return False
        return name == PLAYLIST or name in self._tracks[variant].known

    async def _remove_old(self) -> None:
        for variant, track in enumerate(self._tracks):
            listed = set(names_in(self._window.playlist(variant) or b""))
            listed.update(names_in(track.playlist or b""))
            behind = [name for name in track.known if name not in listed]
            old = behind[: max(0, len(behind) - KEPT_AFTERWARDS)]
            for name in behind[: max(0, len(behind) - MOST_KNOWN)]:
                # It stays there until the next start.
                del track.known[name]
            await self._remove([_key(variant, name) for name in old])

    async def _remove(self, keys: list[str]) -> None:
        """Remove objects. A clip has the same name each time: one that is listed again meanwhile is brought again."""
        for variant, name in map(_place_of, keys):
            if variant < len(self._tracks) and name in self._tracks[variant].known:
                self._tracks[variant].known[name] = False
        try:
            await self._blobs.delete_many(keys)
        finally:
            # Also when it failed: some of them may be gone.
            for variant, name in map(_place_of, keys):
                if variant < len(self._tracks):
                    self._spoil(variant, name)
        for variant, name in map(_place_of, keys):
            if variant < len(self._tracks):
                self._tracks[variant].known.pop(name, None)

    def _spoil(self, variant: int, name: str) -> None:
        track = self._tracks[variant]
        if name == PLAYLIST or name in names_in(self._window.playlist(variant) or b""):
            track.known.pop(name, None)
            track.playlist = None
            track.is_spoiled = True
            track.news.set()


def _key(variant: int, name: str) -> str:
    return f"{FOLDER}/{variant}/{name}"


def _place_of(key: str) -> tuple[int, str]:
    """The variant and the name of what is ours."""
    _, variant, name = key.split("/")
    return int(variant), name


def _is_ended(playlist: bytes | None) -> bool:
    return playlist is not None and playlist.endswith(ENDED)
