"""The whole configuration as the API's admin pages read it, and two things that are done at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_stream.administering.changing import Changing
from manor_stream.http.api import BasicResponse, admin_route, basic_response, uncached
from manor_stream.key_check import USER
from manor_stream.parts import Shared
from manor_stream.quality import Quality
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle
from manor_stream.watching.version import version

DEFAULT_PORTS = {"http": 80, "https": 443}


class InstanceDetails(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What viewers see of the server; texts as they were typed."""

    name: str
    summary: str
    logo: str
    tags: tuple[str, ...]
    social_handles: tuple[SocialHandle, ...]
    extra_page_content: str
    stream_title: str
    nsfw: bool
    custom_styles: str
    welcome_message: str
    offline_message: str
    chat_disabled: bool
    external_actions: tuple[ExternalAction, ...]
    version: str


class VideoSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How video is encoded from the next broadcast on."""

    video_quality_variants: tuple[Quality, ...]
    latency_level: int


class DirectorySettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a directory is told of the stream, and what address it is given."""

    enabled: bool
    instance_url: str


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that can be set, secrets too: the stream key and the credentials of S3.

    Args:
        directhlsinputurl: Always empty: finished segments are pushed to nobody.
    """

    instance_details: InstanceDetails
    ffmpeg_path: str
    stream_key: str
    web_server_port: int
    web_server_ip: str = msgspec.field(name="webServerIP")
    rtmp_server_port: int
    directhlsinputurl: str = ""
    s3: S3Settings
    video_settings: VideoSettings
    yp: DirectorySettings
    chat_disabled: bool
    external_actions: tuple[ExternalAction, ...]
    supported_codecs: Sequence[str]
    video_codec: str
    username_blocklist: str
    forbidden_usernames: tuple[str, ...]


class ServerHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
        changing: Knows the codecs.
    """

    def __init__(self, shared: Shared, changing: Changing) -> None:
        self._shared = shared
        self._changing = changing

    async def show(self, request: Request) -> Reply:
        """Everything that can be set."""
        return uncached(await self._config())

    async def disconnect(self, request: Request) -> Reply:
        """Disconnect the broadcaster."""
        drop = self._shared.on_air.disconnect
        if drop is None:
            return basic_response("Nobody is broadcasting", success=False)
        await self._note("stream.disconnected")
        drop("an administrator ended the broadcast")
        return basic_response("The broadcaster was disconnected")

    async def forget_directory(self, request: Request) -> Reply:
        """Forget what the directory knows this server by."""

        def also(transaction: Transaction, *changed: Any) -> None:
            self._shared.context.audit.record(transaction, "stream.directory_forgotten", actor=USER)

        await self._shared.settings.change(also=also, directory_key="")
        return basic_response("The directory's key was forgotten")

    async def _note(self, what: str) -> None:
        audit = self._shared.context.audit
        await self._shared.context.storage.write(lambda transaction: audit.record(transaction, what, actor=USER))

    async def _config(self) -> ServerConfig:
        now, config = self._shared.settings.now, self._shared.config
        names = (
            "name",
            "summary",
            "logo",
            "tags",
            "social_handles",
            "stream_title",
            "nsfw",
            "custom_styles",
            "welcome_message",
            "offline_message",
            "external_actions",
        )
        return ServerConfig(
            instance_details=InstanceDetails(
                **{name: getattr(now, name) for name in names},
                extra_page_content=now.page_content,
                chat_disabled=now.is_chat_disabled,
                version=version(),
            ),
            ffmpeg_path=self._changing.ffmpeg,
            stream_key=now.key,
            web_server_port=now.web_server_port or _port(self._shared.context.link_url),
            web_server_ip=now.web_server_ip,
            rtmp_server_port=now.rtmp_server_port or int(config.rtmp_bind.rpartition(":")[2] or 0),
            s3=now.s3,
            video_settings=VideoSettings(video_quality_variants=now.qualities, latency_level=now.latency_level),
            yp=DirectorySettings(enabled=now.is_listed, instance_url=now.server_url),
            chat_disabled=now.is_chat_disabled,
            external_actions=now.external_actions,
            supported_codecs=await self._changing.codecs(),
            video_codec=now.codec,
            username_blocklist=",".join(now.forbidden_usernames),
            forbidden_usernames=now.forbidden_usernames,
        )


def server_routes(handlers: ServerHandlers) -> list[Route]:
    """The configuration, and what is done at once."""

    return [
        admin_route("GET", "/api/admin/serverconfig", handlers.show, returns=ServerConfig),
        admin_route("POST", "/api/admin/disconnect", handlers.disconnect, returns=BasicResponse),
        admin_route("POST", "/api/admin/yp/reset", handlers.forget_directory, returns=BasicResponse),
    ]


def _port(address: str) -> int:
    parts = urlsplit(address)
    return parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
