"""All parts of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, PluginContext
from manor_stream.administering.part import Administering
from manor_stream.broadcast.part import Broadcasting
from manor_stream.chat.part import Chatting
from manor_stream.config import StreamConfig
from manor_stream.hls.part import Hls
from manor_stream.ingest.part import Ingest
from manor_stream.keeping import Keeping
from manor_stream.pages.part import Screens
from manor_stream.parts import Shared
from manor_stream.pictures.part import Picturing
from manor_stream.shipping.part import SegmentsToS3
from manor_stream.watching.part import Watching


def every_part(context: PluginContext[StreamConfig]) -> Sequence[Part]:
    """Make them all; each finds the others in what they share."""
    shared = Shared.of(context)
    shared.parts.extend(
        [
            Keeping(shared),
            SegmentsToS3(shared.shipping),
            Hls(shared),
            Broadcasting(shared.broadcasts),
            Picturing(shared.broadcasts.means),
            Ingest(shared),
            Watching(shared),
            Chatting(shared),
            Administering(shared),
            Screens(shared),
        ]
    )
    return shared.parts
