"""What there is to watch when nothing has been broadcast since the start: the offline clip, as the settings have it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from manor_stream.broadcast.codecs import codecs_in
from manor_stream.broadcast.means import Means
from manor_stream.broadcast.plan import Plan, clip_for, describe_variants
from manor_stream.hls.window import Segment, Variant
from manor_stream.on_air import Metadata
from manor_stream.transcoding.children import ChildFailed
from manor_stream.transcoding.offline_clip import CLIP_SECONDS, Clip, Clips

USUAL = Metadata(video_codec="H.264", audio_codec="AAC")
"""What is expected of a broadcaster whom nobody has seen yet."""

ENCODED_AUDIO = "mp4a.40.2"

GetClip = Callable[[Clip], Awaitable[bytes | None]]


class Offline:
    """Has players find a stream that is off, rather than none, as Owncast does from its start on.

    What is on disk is shown at once. What has to be made first is made when a player asks: most starts are of servers
    that nobody watches at that moment, and of ones that have the clip of another start.

    Args:
        means: What a broadcast works with.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._asked = trio.Event()

    def ask(self) -> None:
        """A player found nothing."""
        self._asked.set()

    async def show(self) -> None:
        """See that there is something; until then it is waited for who asks. Cancelled when a broadcast begins."""
        clips = Clips(self._means.folder)
        while True:
            # Who asks while files are read has asked.
            self._asked = trio.Event()
            if await self._shown(clips.find):
                return
            await self._asked.wait()
            try:
                if await self._shown(partial(clips.make, self._means.ffmpeg)):
                    return
            except ChildFailed as error:
                self._means.logbook.warning(f"There is no clip for when nothing is on: {error}")
            # Players ask on: an ffmpeg that does not work is not started for each of them.
            await trio.sleep(self._means.timing.reset)

    async def _shown(self, get: GetClip) -> bool:
        now = self._means.settings.now
        plan = Plan(now.qualities, now.latency_level, now.codec)
        wanted = [clip_for(variant, has_video=True, has_audio=True) for variant in describe_variants(plan, USUAL)]
        found: dict[Clip, bytes] = {}
        for clip in dict.fromkeys(wanted):
            data = await get(clip)
            if data is None:
                return False
            found[clip] = data
        # A broadcast that began while a file was read has the window.
        await trio.lowlevel.checkpoint_if_cancelled()
        names = tuple(codecs_in(found[clip], audio=ENCODED_AUDIO) for clip in wanted)
        self._put(describe_variants(plan, USUAL, names), [(clip, found[clip]) for clip in wanted])
        return True

    def _put(self, variants: tuple[Variant, ...], clips: Sequence[tuple[Clip, bytes]]) -> None:
        at = self._means.context.clock.now()
        self._means.window.reset(variants, [Segment(clip.name, data, CLIP_SECONDS, at) for clip, data in clips])
