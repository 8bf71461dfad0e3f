"""What all parts of the plugin use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from manor import Part, PluginContext
from manor_stream.broadcast.means import Means
from manor_stream.broadcast.service import Broadcasts
from manor_stream.chat.service import Chat
from manor_stream.config import StreamConfig
from manor_stream.hls.window import Window
from manor_stream.key_check import KeyCheck
from manor_stream.logbook import Logbook
from manor_stream.on_air import OnAir
from manor_stream.settings import Settings
from manor_stream.shipping.service import Shipping
from manor_stream.viewers import Viewers
from manor_stream.watching.geoip import GeoIp


@dataclass(frozen=True)
class Shared:
    """What all parts use.

    Args:
        context: The plugin's own.
        settings: What the admin API sets.
        key_check: Knows the stream key.
        on_air: What is on now.
        viewers: Who watches.
        logbook: What the admin page shows of the log.
        geoip: Where viewers are.
        window: What can be watched: the newest segments.
        shipping: Takes segments to S3, and viewers with them.
        broadcasts: Where publishers come in.
        chat: What is said beside it.
        parts: All of them; complete once the plugin is made.
    """

    context: PluginContext[StreamConfig]
    settings: Settings
    key_check: KeyCheck
    on_air: OnAir
    viewers: Viewers
    logbook: Logbook
    geoip: GeoIp
    window: Window
    shipping: Shipping
    broadcasts: Broadcasts
    chat: Chat
    parts: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, context: PluginContext[StreamConfig]) -> Shared:
        """Make them."""
        settings, on_air = Settings(context.storage, context.config), OnAir()
        logbook = Logbook(context.clock, context.log, lambda: (settings.now.key, settings.now.s3.secret))
        viewers = Viewers(on_air)
        window = Window(int(context.clock.now().timestamp()), warn=logbook.warning)
        geoip = GeoIp(context.config.geoip_database, logbook)
        return cls(
            context,
            settings,
            KeyCheck(settings, context.limits),
            on_air,
            viewers,
            logbook,
            geoip,
            window,
            Shipping(context, settings, window, logbook),
            Broadcasts(Means(context, settings, on_air, viewers, logbook, window)),
            Chat(context, settings, on_air, geoip),
        )

    @property
    def config(self) -> StreamConfig:
        """The admin's table."""
        return self.context.config

    @property
    def encoder_address(self) -> str:
        """Where encoders publish from the next start on, as `127.0.0.1:1935`; "" when nobody can."""
        bind, port = self.config.rtmp_bind, self.settings.now.rtmp_server_port
        return f"{bind.rpartition(':')[0]}:{port}" if bind and port else bind

    @property
    def folder(self) -> Path:
        """Where a broadcast leaves what it has on disk."""
        return Path(self.config.data_dir) if self.config.data_dir else self.context.data_dir
