"""The doorbell's table of contents: what it brings to the house."""

from typing import Any

from manor import (
    PUBLIC,
    BackgroundTask,
    Event,
    Migration,
    PluginContext,
    Route,
    Scope,
    ScopeDeclaration,
    Subscription,
    hookimpl,
)

from manor_doorbell.config import DoorbellConfig
from manor_doorbell.counting import Heard, Tally
from manor_doorbell.domain import Ring
from manor_doorbell.events import DoorRang
from manor_doorbell.http import DOORBELL, DoorHandlers, Page
from manor_doorbell.migrations import MIGRATIONS
from manor_doorbell.retention import Retention


class Doorbell:
    """Tell the household that someone is at the door."""

    Config = DoorbellConfig

    def __init__(self, context: PluginContext[DoorbellConfig]) -> None:
        self._doors = DoorHandlers(context.config, context.storage)
        self._tally = Tally(context.metrics)
        self._retention = Retention(context.storage, context.clock, keep_days=context.config.keep_days)

    @hookimpl
    def manor_routes(self) -> list[Route]:
        read = Scope("doors:read")
        return [
            Route("POST", "/doors/{door}/ring", self._doors.ring, api=DOORBELL, access=PUBLIC, returns=Ring),
            Route(
                "GET",
                "/doors/{door}/rings",
                self._doors.list_rings,
                api=DOORBELL,
                access=read,
                query=Page,
                returns=list[Ring],
            ),
        ]

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        return [DoorRang]

    @hookimpl
    def manor_subscriptions(self) -> list[Subscription[Any]]:
        return [Subscription("doorbell.door_rang", Heard, self._tally.count)]

    @hookimpl
    def manor_background_tasks(self) -> list[BackgroundTask]:
        return [BackgroundTask("retention", self._retention.run)]

    @hookimpl
    def manor_migrations(self) -> list[Migration]:
        return MIGRATIONS

    @hookimpl
    def manor_scopes(self) -> list[ScopeDeclaration]:
        return [ScopeDeclaration("doors:read", "See who rang, and when.")]
