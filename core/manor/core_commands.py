"""The core's own commands: what an admin does from the shell that belongs to no plugin."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from manor.commands import (
    AddUser,
    AuditListed,
    AuditRowListed,
    AuditVerified,
    ListAudit,
    ListOutbox,
    ListUsers,
    MakeAdmin,
    Nothing,
    OutboxListed,
    OutboxRetried,
    OutboxRowListed,
    PluginListed,
    PluginsListed,
    Purge,
    Purged,
    RetryOutbox,
    SetPassword,
    SetTier,
    UserAdded,
    UserShown,
    UsersListed,
    VerifyAudit,
    Who,
)
from manor.discovery import Plugin
from manor.errors import Conflict, Unprocessable
from manor.identity.commands import UserCommands
from manor.plugins import Command
from manor.services import Services
from manor.storage import Transaction, purge
from manor.tokens import NewToken, TokenMade, token_maker


def listed(plugins: Sequence[Plugin]) -> PluginsListed:
    """The plugins as `manor plugins list` shows them."""
    return PluginsListed(
        [PluginListed(plugin.name, plugin.state.value, plugin.found.source, plugin.reason) for plugin in plugins]
    )


def core_commands(services: Services, plugins: Sequence[Plugin], data_dir: Path) -> list[Command]:
    """The commands that every house has."""

    storage = services.storage

    async def list_plugins(arguments: Nothing) -> PluginsListed:
        return listed(plugins)

    async def purge_plugin(arguments: Purge) -> Purged:
        if any(plugin.name == arguments.name and plugin.is_running for plugin in plugins):
            raise Conflict(f"'{arguments.name}' is enabled: disable it and restart first")

        def forget(transaction: Transaction, tables: Sequence[str]) -> None:
            detail = {"tables": tables, "outbox_rows": services.outbox.drop_of(transaction, arguments.name)}
            services.audit.record(
                transaction, "core.plugin_purged", actor="shell", target=arguments.name, detail=detail
            )

        try:
            tables = await purge(storage, arguments.name, also=forget)
        except ValueError as error:
            raise Unprocessable(str(error)) from error
        await services.blobs.purge(arguments.name)
        folder = data_dir / arguments.name
        if folder.is_dir() and not folder.is_symlink():
            await trio.to_thread.run_sync(shutil.rmtree, folder)
        return Purged(tables)

    async def list_outbox(arguments: ListOutbox) -> OutboxListed:
        rows = await storage.read(
            lambda transaction: services.outbox.list(transaction, state=arguments.state, most=1000)
        )
        return OutboxListed([msgspec.convert(row, OutboxRowListed, from_attributes=True) for row in rows])

    async def retry_outbox(arguments: RetryOutbox) -> OutboxRetried:
        count = await storage.write(lambda transaction: services.outbox.retry(transaction, arguments.ids))
        services.outbox.ring()
        return OutboxRetried(count)

    async def list_audit(arguments: ListAudit) -> AuditListed:
        rows = await storage.read(
            lambda transaction: services.audit.newest(
                transaction, action=arguments.action, who=arguments.who, most=arguments.most
            )
        )
        return AuditListed([msgspec.convert(row, AuditRowListed, from_attributes=True) for row in rows])

    async def verify_audit(arguments: VerifyAudit) -> AuditVerified:
        def work(transaction: Transaction) -> AuditVerified:
            broken = services.audit.verify(transaction)
            faults = [] if broken is None else [f"row {broken.id}: {broken.reason}"]
            audit = services.audit
            return AuditVerified(audit.count(transaction), faults, audit.removed(transaction))

        return await storage.read(work)

    people = UserCommands(services.identity, storage, services.audit, lambda: services.tiers.names)
    return [
        Command("audit.list", ListAudit, list_audit, AuditListed),
        Command("audit.verify", VerifyAudit, verify_audit, AuditVerified),
        Command("outbox.list", ListOutbox, list_outbox, OutboxListed),
        Command("outbox.retry", RetryOutbox, retry_outbox, OutboxRetried),
        Command("plugins.list", Nothing, list_plugins, PluginsListed),
        Command("plugins.purge", Purge, purge_plugin, Purged),
        Command("token.new", NewToken, token_maker(plugins), TokenMade),
        Command("user.add", AddUser, people.add, UserAdded),
        Command("user.delete", Who, people.delete, UserShown),
        Command("user.disable", Who, people.disable, UserShown),
        Command("user.enable", Who, people.enable, UserShown),
        Command("user.list", ListUsers, people.list, UsersListed),
        Command("user.make_admin", MakeAdmin, people.make_admin, UserShown),
        Command("user.set_password", SetPassword, people.set_password, UserShown),
        Command("user.set_tier", SetTier, people.set_tier, UserShown),
        Command("user.show", Who, people.show, UserShown),
        Command("user.verify", Who, people.verify, UserShown),
        Command("user.disable_mfa", Who, people.disable_mfa, UserShown),
    ]
