"""What the house lends to its plugins, made in one place for a house and for a look at what it would be."""

from __future__ import annotations

from dataclasses import dataclass

from manor import identity
from manor.audit import Audit
from manor.blobs import BlobStores
from manor.clock import Clock
from manor.config import Loaded
from manor.discovery import Plugin
from manor.events import Bus
from manor.identity import Identity, Personal
from manor.limits import RateLimiter
from manor.live import LiveService
from manor.mail import Mail
from manor.matching import CORE, RouteTable
from manor.metrics import Metrics
from manor.outbox import Outbox
from manor.outgoing import Outgoing
from manor.plugins import Tiers
from manor.storage import Storage


@dataclass(frozen=True)
class Services:
    """What the house lends to its plugins."""

    storage: Storage
    bus: Bus
    outbox: Outbox
    live: LiveService
    outgoing: Outgoing
    mail: Mail
    blobs: BlobStores
    limits: RateLimiter
    identity: Identity
    metrics: Metrics
    audit: Audit
    clock: Clock
    tiers: Tiers
    routes: RouteTable


def make_services(
    loaded: Loaded, *, storage: Storage, bus: Bus, outbox: Outbox, metrics: Metrics, clock: Clock, inline: bool = False
) -> Services:
    """Make the services that stand on these; nothing runs yet.

    Args:
        loaded: What the admin wrote.
        storage: The database.
        bus: Events.
        outbox: Of that bus.
        metrics: The registry.
        clock: The wall clock.
        inline: Passwords are hashed, and files written, on the loop's thread: for tests whose clock jumps.
    """
    server = loaded.config.server
    live, audit = LiveService(), Audit()
    limits = RateLimiter(address_limit_factor=server.limits.address_limit_factor)
    people = Identity(
        loaded.config.identity,
        default_tier=server.default_tier,
        storage=storage,
        clock=clock,
        live=live,
        inline=inline,
    )
    people.personal = Personal(storage, outbox, audit)
    people.limits = limits
    outgoing = Outgoing(server.outgoing.allow)
    return Services(
        storage=storage,
        bus=bus,
        outbox=outbox,
        live=live,
        outgoing=outgoing,
        mail=Mail(server.smtp),
        blobs=BlobStores(server.blobs, loaded.data_dir, outgoing, clock, inline=inline),
        limits=limits,
        identity=people,
        metrics=metrics,
        audit=audit,
        clock=clock,
        tiers=Tiers(server.default_tier),
        routes=RouteTable(),
    )


def connect_core(services: Services) -> None:
    """Make known what the core itself tells, hears and puts off."""
    people = services.identity
    services.bus.declare("identity", identity.EVENTS)
    for subscription in people.subscriptions():
        services.bus.subscribe("identity", subscription)
    services.outbox.handle(CORE, services.mail.jobs)
    services.outbox.handle("identity", people.personal.jobs())


def connect(plugin: Plugin, services: Services) -> None:
    """Make known what a plugin tells, hears, puts off and keeps of people.

    Raises:
        ManorError: One of it breaks the rules.
    """
    services.bus.declare(plugin.name, plugin.brought.event_types)
    for subscription in plugin.brought.subscriptions:
        services.bus.subscribe(plugin.name, subscription)
    services.outbox.handle(plugin.name, plugin.brought.jobs)
    services.identity.personal.contribute(plugin.name, plugin.brought.personal_data)


def disconnect(plugin: Plugin, services: Services) -> None:
    """Forget it again, as far as it got."""
    services.bus.remove(plugin.name)
    services.outbox.remove(plugin.name)
    services.identity.personal.withdraw(plugin.name)
