"""What pages are made of, as everybody may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from manor_stream.chat.rules import MOST_BODY_BYTES
from manor_stream.settings import ExternalAction, StreamSettings
from manor_stream.watching.logo import logo_url
from manor_stream.watching.platforms import badge_path
from manor_stream.watching.version import version


class ShownHandle(msgspec.Struct, frozen=True):
    """Where else the broadcaster is found, with the picture beside it."""

    platform: str
    url: str
    icon: str


class Switch(msgspec.Struct, frozen=True):
    """Something that this server does not do."""

    enabled: bool = False


class Notifications(msgspec.Struct, frozen=True):
    """How viewers may be told that the stream begins."""

    browser: Switch = Switch()


class Authentication(msgspec.Struct, frozen=True, rename="camel"):
    """How viewers may prove who they are."""

    indie_auth_enabled: bool = False


class PublicConfig(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What pages are made of; `extraPageContent` and `offlineMessage` are HTML that is safe to show."""

    name: str
    summary: str
    logo: str
    tags: Sequence[str]
    social_handles: Sequence[ShownHandle]
    extra_page_content: str
    version: str
    stream_title: str
    nsfw: bool
    chat_disabled: bool
    external_actions: Sequence[ExternalAction]
    custom_styles: str
    max_socket_payload_size: int
    offline_message: str
    appearance_variables: Mapping[str, str] = {}
    federation: Switch = Switch()
    notifications: Notifications = Notifications()
    authentication: Authentication = Authentication()


def public_config(settings: StreamSettings, *, page_content: str, offline_message: str) -> PublicConfig:
    """The settings that viewers may know.

    Args:
        settings: As they are now.
        page_content: Their text, rendered.
        offline_message: The same.
    """
    return PublicConfig(
        name=settings.name,
        summary=settings.summary,
        logo=logo_url(settings.logo),
        tags=settings.tags,
        social_handles=[
            ShownHandle(each.platform, each.url, badge_path(each.platform)) for each in settings.social_handles
        ],
        extra_page_content=page_content,
        version=version(),
        stream_title=settings.stream_title,
        nsfw=settings.nsfw,
        chat_disabled=settings.is_chat_disabled,
        external_actions=settings.external_actions,
        custom_styles=settings.custom_styles,
        max_socket_payload_size=MOST_BODY_BYTES,
        offline_message=offline_message,
    )
