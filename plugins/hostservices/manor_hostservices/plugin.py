"""Hostservices: the server itself, managed from a phone by the SelfPrivacy API."""

from __future__ import annotations

from manor import InParts, PluginContext
from manor_hostservices.config import HostConfig


class HostServices(InParts):
    """Services, accounts, keys, upgrades and backups of the host."""

    Config = HostConfig

    def __init__(self, context: PluginContext[HostConfig]) -> None:
        # Most houses have it switched off, and read its configuration all the same.
        from manor_hostservices.every_part import every_part

        self.parts = every_part(context)
