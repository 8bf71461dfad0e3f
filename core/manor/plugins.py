"""Plugins: what they are given, how they are found, and how each of them fares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import msgspec
from typing_extensions import TypeVar

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

    from manor.audit import Audit
    from manor.blobs import Blobs
    from manor.clock import Clock
    from manor.events import Bus
    from manor.identity import Identity
    from manor.limits import RateLimiter
    from manor.live import LiveService
    from manor.mail import Mail
    from manor.matching import RouteTable
    from manor.metrics import Metrics
    from manor.outbox import Outbox
    from manor.outgoing import Outgoing
    from manor.storage import Storage


class Tiers:
    """What each tier allows, as the plugins declared and the admin set it."""

    def __init__(self, default_tier: str) -> None:
        self.default_tier = default_tier
        self.changes = 0
        """How often they were replaced: for those who keep what they made of them."""
        self._limits: dict[str, dict[str, int]] = {}

    def replace(self, limits: dict[str, dict[str, int]]) -> None:
        """Take new values, at the start and at a reload."""
        self._limits = limits
        self.changes += 1

    @property
    def names(self) -> frozenset[str]:
        """All tiers: those that are shipped, the admin's own, and the default one."""
        return frozenset((*self._limits, self.default_tier))

    def limit(self, name: str, tier: str = "") -> int:
        """A limit of a tier (the default tier when it has none of that name); 0 is unlimited.

        `tier` "" is the default tier. The system person's tier is "" too, so what the server itself owns is kept as
        long as the default tier says; whoever limits what people do asks whether it is the system person first.
        """
        table = self._limits.get(tier or self.default_tier) or self._limits.get(self.default_tier, {})
        return table.get(name, 0)


class NoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration of a plugin that has nothing to configure."""


C = TypeVar("C", default=NoConfig)


@dataclass
class PluginContext(Generic[C]):
    """All that a plugin is given. Nothing in it is started yet when the plugin is made.

    Only `config` is ever replaced: at a reload, and then only its keys marked live differ. A plugin that wants them
    reads `context.config.key` when it needs the value.

    Args:
        name: The plugin's own name; its tables begin with it.
        config: Its table of the configuration, decoded.
        storage: Transactions.
        bus: Events; a plugin declares subscriptions with a hook rather than here.
        identity: People, teams and credentials.
        live: Channels and the outlets that hear them.
        outbox: Durable deliveries and deferred work (`transaction.defer` is the way in).
        outgoing: Asks other servers over HTTP, and only where that does no harm.
        mail: Mail to people, sent from the outbox.
        blobs: Files of its own, in a folder or in S3.
        limits: Rates and slots.
        metrics: Prometheus counters and gauges of this plugin.
        audit: The audit log.
        clock: The only wall clock.
        log: A logger bound to the plugin's name.
        data_dir: A folder of its own under the server's data directory; made when first asked for.
        public_url: As people reach the server, without a trailing slash; "" when not configured.
        frontend_url: The front end that handles links, without a trailing slash; "" for our own pages.
        link_url: What links for people begin with: `public_url`, or the address that is listened on; never "".
        tiers: What each tier allows.
        routes: The house's routes, complete once the plugin's lifespan starts: for reserved names.
    """

    name: str
    config: C
    storage: Storage
    bus: Bus
    identity: Identity
    live: LiveService
    outbox: Outbox
    outgoing: Outgoing
    mail: Mail
    blobs: Blobs
    limits: RateLimiter
    metrics: Metrics
    audit: Audit
    clock: Clock
    log: BoundLogger
    data_dir: Path
    public_url: str
    frontend_url: str
    link_url: str
    tiers: Tiers
    routes: RouteTable


@dataclass(frozen=True)
class HealthCheck:
    """Something `/readyz` asks: returns None when all is well, else one sentence for the admin."""

    name: str
    check: Callable[[], Awaitable[str | None]]


@dataclass(frozen=True)
class TierLimit:
    """A limit that a tier may set: its name in `[tiers.NAME]`, its default by tier, and what it bounds.

    0 is unlimited. A tier that is not named in `defaults` takes the value of `""`.
    """

    name: str
    defaults: dict[str, int]
    description: str


@dataclass(frozen=True)
class ScopeDeclaration:
    """A scope that credentials may carry, and one sentence for the person who grants it."""

    name: str
    description: str


@dataclass(frozen=True)
class PersonalData:
    """A plugin's part of a person's export and erasure.

    Args:
        sections: Names of the export's top-level members.
        export: `(user_id)`: an async generator of `(section, struct)`, section after section; no secrets, no digests.
        erase: `(transaction, user_id, limit)`: removes at most so many rows; returns how many are gone, 0 when none is
            left and full-text indexes are merged. It is asked again and again, after a restart too.
    """

    sections: tuple[str, ...]
    export: Callable[..., Any]
    erase: Callable[..., Any]


@dataclass(frozen=True)
class Command:
    """Something an admin does from the shell, with the daemon stopped or running.

    Args:
        name: `<plugin>.<verb>`, as the control socket carries it.
        arguments: A struct.
        run: Takes the arguments, returns the result; cannot tell which way it was called.
        returns: The result's type.
        seconds: How long it may take before it is stopped; None for as long as any other.
    """

    name: str
    arguments: type[Any]
    run: Callable[[Any], Awaitable[Any]]
    returns: type[Any]
    seconds: float | None = None
