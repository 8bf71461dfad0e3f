"""Shipping's part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor import BackgroundTask, Delivery, HealthCheck, Part, Subscription
from manor_stream.settings import SettingsChanged
from manor_stream.shipping.service import Shipping


class SegmentsToS3(Part):
    """Segments go to S3 when the settings say so.

    Args:
        shipping: Does it.
    """

    def __init__(self, shipping: Shipping) -> None:
        self._shipping = shipping

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Another bucket counts at once."""
        return [Subscription(SettingsChanged.name, SettingsChanged, self._shipping.note_change, Delivery.INLINE)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """It waits for segments all day."""
        return [BackgroundTask("shipping", self._shipping.run)]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Viewers are served from here while S3 does not do its work."""
        return [HealthCheck("S3", self._shipping.trouble)]
