"""One publisher, from their first frame to their last: encoders are started, watched, and started again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from manor_stream.broadcast.intake import Intake
from manor_stream.broadcast.means import Means
from manor_stream.broadcast.opening import Beginning, Opening
from manor_stream.broadcast.patience import MOST_FAILURES, WITHIN_SECONDS, Patience
from manor_stream.broadcast.plan import Plan
from manor_stream.broadcast.warnings import FULL, RARE_KEY_FRAMES, SLOW_ENCODER, SLOW_PUBLISHER, Warnings
from manor_stream.media import Kind, Media, flv_header, flv_tag
from manor_stream.transcoding.arguments import Input, Output, arguments
from manor_stream.transcoding.children import ChildFailed
from manor_stream.transcoding.encoder import Encoder, EncoderGone
from manor_stream.transcoding.playlists_in import Listed
from manor_stream.transcoding.progress import SLOW, Pace, Progress
from manor_stream.transcoding.segment_receiver import SegmentReceiver
from manor_stream.transcoding.uploads import Uploads

BACKLOG_BYTES = 128 * 1024
"""With so much waiting the encoder is the slow one, and not the publisher."""

LATE = 1.25
"""Key frames may be so much farther apart than segments are long before anybody is warned."""

FALLBACK_CODEC = "libx264"

OnSegment = Callable[[int, Listed, bytes], None]


@dataclass
class _Run:
    """One encoder, and what it was begun with."""

    encoder: Encoder
    beginning: Beginning
    done: trio.Event = field(default_factory=trio.Event)

    def is_outdated_by(self, media: Media) -> bool:
        """Whether the encoder knows nothing of this: another header, or a kind that was not there."""
        known = self.beginning.headers.get(media.kind)
        if known is None:
            return media.is_header or media.is_key_frame
        return media.is_header and media.data != known.data


class Following:
    """Has one publisher's media encoded.

    Args:
        means: What a broadcast works with.
        receiver: Takes segments from ffmpeg.
        intake: The publisher.
        plan: What to make.
        warnings: Told what an admin should know.
        on_beginning: Called before each encoder is started.
        on_segment: Called with each segment, in order.
    """

    def __init__(
        self,
        means: Means,
        receiver: SegmentReceiver,
        intake: Intake,
        plan: Plan,
        warnings: Warnings,
        *,
        on_beginning: Callable[[Beginning], None],
        on_segment: OnSegment,
    ) -> None:
        self._means = means
        self._receiver = receiver
        self._intake = intake
        self._plan = plan
        self._warnings = warnings
        self._on_beginning = on_beginning
        self._on_segment = on_segment
        self._opening: Opening | None = None
        self._patience = Patience(means.timing.pauses)
        self._not_before = 0.0
        self._pace = Pace()
        self._run: _Run | None = None
        self._last_key_frame: int | None = None
        self._headers: dict[Kind, Media] = {}

    async def run(self) -> None:
        """Until the publisher is gone and all of it is encoded. A publisher who cannot be encoded is sent away."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            while (media := await self._intake.feed.get()) is not None:
                self._watch_key_frames(media)
                await self._carry(media)
            await self._finish()

    async def _carry(self, media: Media) -> None:
        run = self._run
        if media.is_header:
            # Encoders send a header once: it is needed again when one of another kind has begun without it.
            self._headers[media.kind] = media
        if run is not None and run.is_outdated_by(media):
            await self._finish()
            self._opening = Opening(self._intake.metadata)
            for header in self._headers.values():
                self._opening.note_header(header)
            run = None
        try:
            if run is not None:
                await run.encoder.write(flv_tag(media))
            else:
                await self._begin(media)
        except (EncoderGone, ChildFailed) as error:
            await self._recover(error)

    async def _begin(self, media: Media) -> None:
        # Metadata comes before media, so it is asked for no sooner than that.
        if self._opening is None:
            self._opening = Opening(self._intake.metadata)
        if trio.current_time() < self._not_before:
            if media.is_header:
                self._opening.note_header(media)
            return
        beginning = self._opening.take(media, trio.current_time())
        if beginning is None:
            return
        self._on_beginning(beginning)
        self._pace = Pace()
        self._opening = Opening(self._intake.metadata, beginning)
        run = self._run = await self._nursery.start(self._encode, beginning)
        kinds = beginning.kinds
        tags = [flv_tag(each) for each in beginning.media]
        await run.encoder.write(flv_header(Kind.AUDIO in kinds, Kind.VIDEO in kinds) + b"".join(tags))

    async def _encode(self, beginning: Beginning, *, task_status: trio.TaskStatus[_Run]) -> None:
        session = secrets.token_hex(4)
        uploads = Uploads(len(self._plan.qualities), session, self._on_segment)
        with self._receiver.expecting(uploads) as destination:
            argv = arguments(
                self._program,
                self._plan.qualities,
                codec=self._codec(),
                latency_level=self._plan.latency_level,
                source=Input(Kind.VIDEO in beginning.kinds, Kind.AUDIO in beginning.kinds),
                output=Output(destination.url, session),
            )
            encoder = Encoder(
                argv,
                variables=destination.variables,
                folder=self._means.folder,
                secret=destination.secret,
                on_progress=self._watch_pace,
            )
            run = _Run(encoder, beginning)
            try:
                await encoder.start()
                task_status.started(run)
                await encoder.watch()
                await self._receiver.settle()
            finally:
                run.done.set()

    async def _finish(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            await run.encoder.finish()
            await run.done.wait()

    async def _recover(self, error: Exception) -> None:
        run, self._run = self._run, None
        complaint = str(error)
        if run is not None:
            await run.done.wait()
            complaint = run.encoder.complaint
        pause = self._patience.note(trio.current_time())
        if pause is None:
            reason = f"The encoder failed {MOST_FAILURES} times in {WITHIN_SECONDS:g} s, last with: {complaint}"
            self._means.logbook.error(reason)
            self._intake.drop(reason)
            return
        self._means.logbook.warning(f"The encoder failed and is started again: {complaint}")
        self._not_before = trio.current_time() + pause

    @property
    def _program(self) -> str:
        abilities = self._intake.abilities
        assert abilities is not None, "nothing is taken from a publisher before they are known"
        return abilities.path

    def _codec(self) -> str:
        abilities = self._intake.abilities
        assert abilities is not None, "nothing is taken from a publisher before they are known"
        if not self._plan.encodes_video or self._plan.codec in abilities.codecs:
            return self._plan.codec
        self._means.logbook.warning(f"This server's ffmpeg has no {self._plan.codec}; {FALLBACK_CODEC} is used")
        return FALLBACK_CODEC

    # --- Watching --------------------------------------------------------------------------------------------------

    def _watch_pace(self, report: Progress) -> None:
        # Until it knows what comes in it makes nothing, and catches up then.
        speed = self._pace.note(trio.current_time(), report.out_seconds) if report.out_seconds > 0 else None
        if speed is None:
            return
        is_behind = self._intake.feed.bytes > BACKLOG_BYTES
        if not is_behind:
            self._warnings.end(FULL)
        slow = None if speed >= SLOW else SLOW_ENCODER if is_behind else SLOW_PUBLISHER
        for about, text in (
            (SLOW_ENCODER, f"The encoder makes {speed:.2f} s of video in a second; fewer or lighter qualities help"),
            (SLOW_PUBLISHER, f"The broadcaster sends {speed:.2f} s of video in a second; their connection is too slow"),
        ):
            if about == slow:
                self._warnings.begin(about, text)
            else:
                self._warnings.end(about)

    def _watch_key_frames(self, media: Media) -> None:
        if not media.is_key_frame or not self._plan.passes_video:
            return
        before, self._last_key_frame = self._last_key_frame, media.timestamp
        if before is None:
            return
        distance = (media.timestamp - before) / 1000
        if distance > self._plan.seconds * LATE:
            self._warnings.begin(
                RARE_KEY_FRAMES,
                f"The broadcaster sends a key frame every {distance:.1f} s, but segments are to be of "
                f"{self._plan.seconds} s: set the encoder's key frame interval to {self._plan.seconds} s",
            )
        else:
            self._warnings.end(RARE_KEY_FRAMES)
