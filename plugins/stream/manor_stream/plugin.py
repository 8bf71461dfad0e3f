"""Stream: publish with any encoder, watch in any browser, and talk beside it."""

from __future__ import annotations

from manor import InParts, PluginContext
from manor_stream.config import StreamConfig


class Stream(InParts):
    """Live video with chat: RTMP in, HLS out, and the Owncast API around it."""

    Config = StreamConfig

    def __init__(self, context: PluginContext[StreamConfig]) -> None:
        # A house without a stream, as most are, has its configuration read all the same: not all of its modules.
        from manor_stream.every_part import every_part

        self.parts = every_part(context)
