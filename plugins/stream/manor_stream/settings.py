"""What the admin API sets: kept in the database, and in memory for everybody who asks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import trio
from msgspec.structs import asdict, replace
from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert

from manor import Event, Lifespan, Storage, Transaction
from manor_stream.config import StreamConfig
from manor_stream.quality import DEFAULT_QUALITIES, Quality

metadata = MetaData()

settings = Table(
    "stream_settings",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
"""What was set, each value as JSON; what was never set has no row."""

KEY_BYTES = 24


class SocialHandle(msgspec.Struct, frozen=True):
    """Where else the broadcaster is found."""

    platform: str
    url: str


class ExternalAction(msgspec.Struct, frozen=True, rename="camel"):
    """A button beside the video that opens another page."""

    url: str
    title: str
    description: str = ""
    icon: str = ""
    color: str = ""
    opens_externally: bool = msgspec.field(default=False, name="openExternally")


class S3Settings(msgspec.Struct, frozen=True, rename="camel"):
    """Where segments go instead of this server."""

    enabled: bool = False
    endpoint: str = ""
    serving_endpoint: str = ""
    access_key: str = ""
    secret: str = ""
    bucket: str = ""
    region: str = ""
    acl: str = ""
    force_path_style: bool = False


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, by the name that its row in the database has.

    Args:
        key: The stream key, and the password of the user `admin`.
        name: The server's, as viewers see it.
        summary: A sentence about it.
        logo: Web path or `data:` URL; "" for the one that comes with the plugin.
        tags: Words that describe it.
        social_handles: Where else the broadcaster is found.
        page_content: Markdown below the video.
        stream_title: What is on.
        nsfw: Whether it is not for everybody.
        custom_styles: CSS of the watch page.
        welcome_message: Said to everybody who comes into the chat; markdown.
        offline_message: Shown while nothing is on; markdown.
        server_url: As viewers reach it, for the directory.
        is_chat_disabled: Whether nobody can write.
        forbidden_usernames: Names that nobody in the chat has.
        external_actions: Buttons beside the video.
        is_listed: Whether a directory is told, when one is configured.
        directory_key: What the directory gave at the first time.
        ffmpeg_path: Used instead of the configured one; "" for that.
        web_server_port: Stored and shown; `[server] bind` decides.
        web_server_ip: As `web_server_port`.
        rtmp_server_port: Used from the next start on instead of the configured one; 0 for that.
        latency_level: 0 to 4; see `quality.LATENCY_LEVELS`.
        qualities: What viewers may choose from; never empty.
        codec: The video encoder, by ffmpeg's name.
        s3: Where segments go.
    """

    key: str = ""
    name: str = "Manor"
    summary: str = "Live video from this server."
    logo: str = ""
    tags: tuple[str, ...] = ()
    social_handles: tuple[SocialHandle, ...] = ()
    page_content: str = ""
    stream_title: str = ""
    nsfw: bool = False
    custom_styles: str = ""
    welcome_message: str = ""
    offline_message: str = ""
    server_url: str = ""
    is_chat_disabled: bool = False
    forbidden_usernames: tuple[str, ...] = ()
    external_actions: tuple[ExternalAction, ...] = ()
    is_listed: bool = False
    directory_key: str = ""
    ffmpeg_path: str = ""
    web_server_port: int = 0
    web_server_ip: str = ""
    rtmp_server_port: int = 0
    latency_level: int = 2
    qualities: tuple[Quality, ...] = DEFAULT_QUALITIES
    codec: str = "libx264"
    s3: S3Settings = S3Settings()


class SettingsChanged(Event, frozen=True):
    """An administrator changed settings. Told once they are on disk; their values are asked of the API.

    Args:
        names: Which ones, as `manor_stream.settings.StreamSettings` calls them.
    """

    name: ClassVar[str] = "stream.settings_changed"
    names: tuple[str, ...]


Also = Callable[[Transaction, StreamSettings, tuple[str, ...]], None]
"""What else is done in the transaction that changes settings."""


class Settings:
    """The settings as they are.

    Args:
        storage: Keeps them.
        config: The admin's table, for what was never set.
    """

    def __init__(self, storage: Storage, config: StreamConfig) -> None:
        self._storage = storage
        self._configured_key = config.key
        self._changing = trio.Lock()
        self._next = self.now = StreamSettings()

    def lifespan(self) -> Lifespan:
        """Read them before anything else of the plugin starts; makes a stream key when there is none."""

        @asynccontextmanager
        async def opened() -> Any:
            self._next = self.now = await self._storage.write(
                lambda transaction: _read(transaction, self._configured_key)
            )
            yield

        return opened

    async def change(
        self,
        change: Callable[[StreamSettings], StreamSettings] | None = None,
        *,
        also: Also | None = None,
        **values: Any,
    ) -> None:
        """Set something: on disk before this returns, and in force then.

        Args:
            change: Makes the new settings from those of now; pure.
            also: Called in the same transaction, with the new settings and the names of those that differ; not called
                when none does.
            values: Settings by name, in place of `change`.
        """
        async with self._changing:
            before = self.now
            after = change(before) if change is not None else replace(before, **values)
            names = tuple(name for name, value in asdict(after).items() if value != getattr(before, name))
            if not names:
                return
            self._next = after

            def work(transaction: Transaction) -> None:
                for name in names:
                    _store(transaction, name, getattr(after, name))
                transaction.emit(SettingsChanged(names=names))
                if also is not None:
                    also(transaction, after, names)

            await self._storage.write(work)

    def take(self, changed: SettingsChanged) -> None:
        """They are on disk: everybody who asks from now on is told the new ones. For an INLINE subscription."""
        self.now = self._next


def _store(transaction: Transaction, name: str, value: Any) -> None:
    row = {"name": name, "value": msgspec.json.encode(value).decode()}
    statement = insert(settings).values(row)
    transaction.connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": row["value"]})
    )


def _read(transaction: Transaction, configured_key: str) -> StreamSettings:
    rows = transaction.connection.execute(select(settings)).all()
    known = {field.name: field.type for field in msgspec.structs.fields(StreamSettings)}
    values = {row.name: msgspec.json.decode(row.value, type=known[row.name]) for row in rows if row.name in known}
    if "key" not in values:
        # One from the configuration is not kept: whoever changes it there finds it changed.
        values["key"] = configured_key or secrets.token_urlsafe(KEY_BYTES)
        if not configured_key:
            _store(transaction, "key", values["key"])
    return StreamSettings(**values)
