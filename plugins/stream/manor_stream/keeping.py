"""The part that everything else stands on: settings, the stream key, and what an admin does with it at the shell."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from manor import Authenticator, Command, Delivery, Event, Lifespan, Migration, Part, Subscription
from manor_stream.events import BROADCAST_EVENTS, CHAT_EVENTS
from manor_stream.migrations import first
from manor_stream.parts import Shared
from manor_stream.settings import KEY_BYTES, SettingsChanged


class WantedKey(msgspec.Struct, frozen=True):
    """Show the stream key; `renew` makes a new one first."""

    renew: bool = False


class ShownKey(msgspec.Struct, frozen=True):
    """The stream key, and where it goes.

    Args:
        key: Of the encoder, and the password of the user `admin`.
        address: Where encoders publish, `HOST:PORT`; "" when they cannot.
    """

    key: str
    address: str


class Keeping(Part):
    """Settings and the key.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def event_types(self) -> Sequence[type[Event]]:
        """Everything that the plugin tells."""
        return [SettingsChanged, *BROADCAST_EVENTS, *CHAT_EVENTS]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Changed settings are in force as soon as they are on disk."""
        return [Subscription(SettingsChanged.name, SettingsChanged, self._shared.settings.take, Delivery.INLINE)]

    def authenticators(self) -> Sequence[Authenticator]:
        """The user `admin`."""
        return [self._shared.key_check.authenticator]

    def migrations(self) -> Sequence[Migration]:
        """Settings and broadcasts."""
        return [first.STEP]

    def commands(self) -> Sequence[Command]:
        """`manor stream key`."""
        return [Command("stream.key", WantedKey, self._show_key, ShownKey)]

    def lifespan(self) -> Lifespan:
        """The settings are read before anything else starts."""
        return self._shared.settings.lifespan()

    async def _show_key(self, wanted: WantedKey) -> ShownKey:
        if wanted.renew:
            await self._shared.settings.change(key=secrets.token_urlsafe(KEY_BYTES))
        return ShownKey(self._shared.settings.now.key, self._shared.encoder_address)
