"""A broadcast: from a publisher's first frame until nobody is back in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import trio

from manor import Refused, new_id
from manor_stream.broadcast.codecs import audio_name, codecs_in, size_of
from manor_stream.broadcast.following import Following
from manor_stream.broadcast.intake import Intake
from manor_stream.broadcast.means import Means
from manor_stream.broadcast.metadata import completed
from manor_stream.broadcast.opening import Beginning
from manor_stream.broadcast.plan import Plan, clip_for, describe_variants
from manor_stream.broadcast.store import INTERRUPTED, record_end, record_start
from manor_stream.broadcast.warnings import FULL, UNRECORDED, Warnings
from manor_stream.hls.window import Segment, Variant
from manor_stream.media import Kind
from manor_stream.on_air import Metadata, Phase
from manor_stream.quality import Quality
from manor_stream.transcoding.children import ChildFailed
from manor_stream.transcoding.offline_clip import CLIP_SECONDS, Clips
from manor_stream.transcoding.playlists_in import Listed
from manor_stream.transcoding.segment_receiver import SegmentReceiver

CLIP_PATIENCE = 10.0
LAST_WORDS_SECONDS = 3.0


@dataclass(frozen=True)
class Over:
    """What is left of a broadcast that was live, or almost: some of its qualities had a segment.

    Args:
        variants: As it had them.
        clips: What is shown in their place; None where there is no clip.
    """

    variants: tuple[Variant, ...]
    clips: tuple[Segment | None, ...]


class Broadcast:
    """One broadcast.

    Args:
        means: What it works with.
        receiver: Takes segments from ffmpeg.
    """

    def __init__(self, means: Means, receiver: SegmentReceiver) -> None:
        self._means = means
        self._receiver = receiver
        now = means.settings.now
        self._plan = Plan(now.qualities, now.latency_level, now.codec)
        self._warnings = Warnings(means.on_air, means.logbook)
        self.intake: Intake | None = None
        self.is_ending = False
        self._followed: Intake | None = None
        self._arrived = trio.Event()
        self._final_reason = ""
        self._is_live = False
        self._has_listed = False
        self._beginnings = 0
        self._source = Metadata()
        self._kinds: frozenset[Kind] = frozenset()
        self._audio_names: tuple[str, ...] = ()
        self._variants: tuple[Variant, ...] = ()
        self._codecs: dict[int, str] = {}
        self._continued: set[int] = set()
        self._all_listed = trio.Event()
        self._recorded = trio.Event()
        self._clips: tuple[Segment | None, ...] = ()
        self._clips_made = trio.Event()
        self._id = new_id()
        self._unrecorded: Callable[[], Awaitable[None]] | None = None
        self._has_complained = False

    @property
    def qualities(self) -> tuple[Quality, ...]:
        """What it is encoded in."""
        return self._plan.qualities

    def welcome(self, intake: Intake) -> None:
        """Take the broadcast from this publisher from now on."""
        self.intake = intake
        on_air = self._means.on_air
        on_air.address = intake.publisher.address
        on_air.connected_at = self._means.context.clock.now()
        on_air.disconnect = self.disconnect
        on_air.qualities = self._plan.qualities
        on_air.latency_level = self._plan.latency_level
        if not self._is_live:
            on_air.phase = Phase.STARTING
        who = f"{intake.name} at {intake.publisher.address}" if intake.name else intake.publisher.address
        self._means.logbook.info(f"{who} publishes" + (" again" if self._is_live else ""))
        self._tell()

    def disconnect(self, reason: str) -> None:
        """Drop the publisher, and end the broadcast without waiting for anybody."""
        self._final_reason = reason or "The broadcaster was disconnected"
        self.is_ending = True
        if self.intake is not None and not self.intake.is_gone:
            self.intake.drop(self._final_reason)
        self._tell()

    def fall_behind(self) -> None:
        """The encoder has been busy for too long; the publisher is slowed down from now on."""
        self._warnings.begin(FULL, "The encoder is behind: the broadcaster is slowed down, and will drop frames")

    async def run(self, ended: Callable[[Over | None], None]) -> None:
        """Follow its publishers until there is none.

        Args:
            ended: Called once viewers have been told; with None when they never saw anything of it.
        """
        reason = INTERRUPTED
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._record_start)
                nursery.start_soon(self._make_clips)
                while (intake := await self._next_intake()) is not None:
                    await self._follow(intake)
                if self._is_live:
                    with trio.move_on_after(LAST_WORDS_SECONDS):
                        await self._recorded.wait()
                    with trio.move_on_after(CLIP_PATIENCE):
                        await self._clips_made.wait()
                nursery.cancel_scope.cancel()
            reason = self._final_reason or (self.intake.end_reason if self.intake is not None else "")
        finally:
            self.is_ending = True
            at = self._means.context.clock.now()
            # There are none when it took too long to make them.
            self._clips = self._clips or (None,) * len(self._variants)
            peak = self._leave_the_air(at, reason)
            ended(Over(self._variants, self._clips) if self._has_listed else None)
            if self._is_live:
                self._unrecorded = partial(record_end, self._means, self._id, at, reason, peak)
                with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_WORDS_SECONDS):
                    await self._try_to_record_end()

    async def record_end(self) -> None:
        """See that its end is on disk, however long there is no room for it. After `run`."""
        while self._unrecorded is not None:
            await trio.sleep(self._means.timing.storing)
            await self._try_to_record_end()

    # --- Publishers come and go ------------------------------------------------------------------------------------

    async def _next_intake(self) -> Intake | None:
        """The publisher to follow now; None when there is none, nor will be."""
        if self.intake is self._followed and self._is_live and not self.is_ending:
            self._means.on_air.phase = Phase.RECONNECTING
            if self.intake is not None:
                self._means.logbook.info(f"The broadcaster is gone for now: {self.intake.end_reason}")
            with trio.move_on_after(self._means.timing.grace):
                while self.intake is self._followed and not self.is_ending:
                    await self._arrived.wait()
        if self.intake is self._followed or self.is_ending:
            self.is_ending = True
            return None
        self._followed = self.intake
        return self.intake

    async def _follow(self, intake: Intake) -> None:
        await Following(
            self._means,
            self._receiver,
            intake,
            self._plan,
            self._warnings,
            on_beginning=self._note_beginning,
            on_segment=self._take_segment,
        ).run()

    def _tell(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()

    # --- The encoder makes segments --------------------------------------------------------------------------------

    def _note_beginning(self, beginning: Beginning) -> None:
        """An encoder is about to start: what comes in is known now."""
        assert self.intake is not None, "somebody sent it"
        video, audio = (beginning.headers.get(kind) for kind in (Kind.VIDEO, Kind.AUDIO))
        self._source = self._means.on_air.metadata = completed(
            self.intake.metadata,
            video_codec=video.codec if video is not None else "",
            audio_codec=audio.codec if audio is not None else "",
            size=size_of(video),
        )
        self._kinds = beginning.kinds
        self._audio_names = tuple(
            audio_name(audio, is_encoded=not quality.copies_audio) for quality in self._plan.qualities
        )
        self._beginnings += 1
        self._continued.clear()
        self._codecs.clear()
        self._variants = describe_variants(self._plan, self._source)
        if self._beginnings == 1:
            self._means.window.begin(self._variants, seconds=self._plan.seconds, length=self._plan.length)

    def _take_segment(self, variant: int, listed: Listed, data: bytes) -> None:
        if not self._is_live and self.intake is not None and self.intake.is_gone:
            # Somebody only tried: viewers and bots are not told of some frames.
            return
        is_discontinuous = self._beginnings > 1 and variant not in self._continued
        self._continued.add(variant)
        at = listed.at or self._means.context.clock.now()
        if variant not in self._codecs:
            self._codecs[variant] = codecs_in(data, audio=self._audio_names[variant])
            if len(self._codecs) == len(self._variants):
                codecs = tuple(self._codecs[place] for place in range(len(self._variants)))
                self._variants = describe_variants(self._plan, self._source, codecs)
                self._means.window.describe(self._variants)
        self._has_listed = True
        self._means.window.add(variant, Segment(listed.name, data, listed.seconds, at, is_discontinuous))
        if not self._is_live and all(self._means.window.added(place) for place in range(len(self._variants))):
            self._go_on_air()
        if self._means.on_air.phase is Phase.RECONNECTING:
            self._means.on_air.phase = Phase.LIVE

    # --- On the air and off it -------------------------------------------------------------------------------------

    def _go_on_air(self) -> None:
        """Every variant has its first segment."""
        self._is_live = True
        self._means.viewers.begin()
        on_air = self._means.on_air
        on_air.phase = Phase.LIVE
        on_air.broadcast_id = self._id
        on_air.live_since = on_air.last_connected_at = self._means.context.clock.now()
        on_air.last_disconnected_at = None
        self._means.logbook.info("The broadcast is live")
        self._all_listed.set()

    async def _record_start(self) -> None:
        await self._all_listed.wait()
        on_air = self._means.on_air
        at = on_air.live_since or self._means.context.clock.now()
        while not self._recorded.is_set():
            try:
                await record_start(self._means, self._id, at, on_air.address, self._source)
            except Refused as refused:
                # Viewers watch all the same.
                self._warnings.begin(UNRECORDED, f"The broadcast cannot be recorded for now: {refused.detail}")
                await trio.sleep(self._means.timing.storing)
            else:
                self._warnings.end(UNRECORDED)
                self._recorded.set()

    async def _try_to_record_end(self) -> None:
        if self._unrecorded is None:
            return
        try:
            await self._unrecorded()
        except Refused as refused:
            if not self._has_complained:
                self._means.logbook.warning(f"The end of the broadcast cannot be recorded for now: {refused.detail}")
            self._has_complained = True
        else:
            self._unrecorded = None

    async def _make_clips(self) -> None:
        await self._all_listed.wait()
        clips = Clips(self._means.folder)
        made: list[Segment | None] = []
        for variant in self._variants:
            has_video, has_audio = Kind.VIDEO in self._kinds, Kind.AUDIO in self._kinds
            clip = clip_for(variant, has_video=has_video, has_audio=has_audio)
            try:
                data = await clips.make(self._means.ffmpeg, clip)
            except ChildFailed as error:
                self._means.logbook.warning(f"There is no clip for when the broadcast is over: {error}")
                data = None
            now = self._means.context.clock.now()
            made.append(None if data is None else Segment(clip.name, data, CLIP_SECONDS, now))
        self._clips = tuple(made)
        self._clips_made.set()

    def _leave_the_air(self, at: datetime, reason: str) -> int:
        """Tell viewers that it is over; gives the most that there were."""
        if self.intake is not None and not self.intake.is_gone:
            self.intake.drop(reason)
        self._warnings.end_all()
        if self._beginnings:
            clips = [None if clip is None else replace(clip, at=at) for clip in self._clips]
            self._means.window.end(clips)
        on_air = self._means.on_air
        on_air.phase = Phase.OFFLINE
        on_air.broadcast_id = on_air.connected_at = on_air.live_since = on_air.disconnect = None
        on_air.address = ""
        on_air.metadata = Metadata()
        if not self._is_live:
            return 0
        on_air.last_connected_at = None
        on_air.last_disconnected_at = at
        self._means.logbook.info(f"The broadcast is over: {reason}")
        self._means.viewers.note_peak()
        return self._means.viewers.session_peak
