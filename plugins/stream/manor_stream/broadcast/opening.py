"""When there is enough of a broadcast to begin with: the headers of all that is sent, and a key frame. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from manor_stream.media import Kind, Media
from manor_stream.on_air import Metadata

UNTOLD_SECONDS = 1.5
"""How long is waited for what the publisher did not say that it sends."""

TOLD_SECONDS = 4.0
"""How long is waited for what it said that it sends: metadata may be wrong."""

KEY_FRAME_SECONDS = 12.0
"""How long is waited for a key frame once video's header has come; encoders left alone make one in ten seconds."""

MOST_BYTES = 4 * 1024 * 1024

BOTH = frozenset({Kind.AUDIO, Kind.VIDEO})
WITHOUT_HEADER = frozenset({"MP3"})


@dataclass(frozen=True)
class Beginning:
    """What an encoder is started with.

    Args:
        kinds: What is sent: audio, video or both.
        headers: By kind; a codec without header has one of its tags here.
        media: Headers first, then everything since the key frame.
    """

    kinds: frozenset[Kind]
    headers: Mapping[Kind, Media]
    media: tuple[Media, ...]


class Opening:
    """Watches a publisher's first tags, or those after an encoder has ended.

    Args:
        metadata: What the publisher says.
        before: How the same publisher's media began the last time; None at the first.
    """

    def __init__(self, metadata: Metadata, before: Beginning | None = None) -> None:
        told = [(Kind.AUDIO, metadata.audio_codec), (Kind.VIDEO, metadata.video_codec or metadata.width)]
        self._told = frozenset(kind for kind, is_told in told if is_told)
        self._expected = before.kinds if before is not None else self._told or BOTH
        self._is_known = before is not None
        self._headers: dict[Kind, Media] = dict(before.headers) if before is not None else {}
        self._backlog: list[Media] = []
        self._bytes = 0
        self._has_key_frame = False
        self._has_audio = False
        self._began: float | None = None

    def take(self, media: Media, now: float) -> Beginning | None:
        """Take one tag; gives the beginning once there is one.

        Args:
            media: Audio or video.
            now: Seconds of any clock that does not jump.
        """
        if self._began is None:
            self._began = now
        if media.is_header:
            self.note_header(media)
        elif self._fits(media):
            self._backlog.append(media)
            self._bytes += media.weight
        return self._beginning(now - self._began)

    def note_header(self, media: Media) -> None:
        """Remember a header; one of video makes what came before it worthless."""
        self._headers[media.kind] = media
        if not self._is_known:
            # Whatever was told: its frames follow.
            self._expected |= {media.kind}
        if media.kind is Kind.VIDEO:
            self._empty()

    def _fits(self, media: Media) -> bool:
        if media.kind is Kind.VIDEO:
            if Kind.VIDEO not in self._headers:
                return False
            self._has_key_frame = self._has_key_frame or media.is_key_frame
            return self._has_key_frame
        if media.codec in WITHOUT_HEADER:
            self._headers[Kind.AUDIO] = media
        if Kind.AUDIO not in self._headers:
            return False
        self._has_audio = True
        # Sound before the first picture would be heard over nothing.
        return self._has_key_frame or Kind.VIDEO not in self._expected

    def _beginning(self, waited: float) -> Beginning | None:
        seen = self._seen()
        if not seen or not (seen >= self._expected or self._has_waited_enough(seen, waited)):
            if self._bytes > MOST_BYTES:
                self._empty()
            return None
        media = list(self._backlog)
        if Kind.VIDEO not in seen:
            media = [each for each in media if each.kind is Kind.AUDIO]
        at = media[0].timestamp if media else 0
        headers = {kind: header for kind, header in self._headers.items() if kind in seen}
        first = [replace(header, timestamp=at) for header in headers.values() if header.is_header]
        return Beginning(seen, headers, (*first, *media))

    def _seen(self) -> frozenset[Kind]:
        seen = {Kind.VIDEO} if self._has_key_frame else set()
        if Kind.AUDIO in self._headers and (self._has_audio or seen):
            seen.add(Kind.AUDIO)
        return frozenset(seen)

    def _has_waited_enough(self, seen: frozenset[Kind], waited: float) -> bool:
        if self._bytes > MOST_BYTES:
            return True
        if Kind.VIDEO not in seen and Kind.VIDEO in self._headers:
            return waited >= KEY_FRAME_SECONDS and not self._is_known
        missing = self._expected - seen
        return waited >= (TOLD_SECONDS if missing & self._told else UNTOLD_SECONDS)

    def _empty(self) -> None:
        self._backlog.clear()
        self._bytes = 0
        self._has_key_frame = False
