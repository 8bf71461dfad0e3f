"""Configuration: TOML files, drop-ins and variables → structs, with every problem told at once."""

from manor.config.addresses import Bind, FdBind, Network, TcpBind, UnixBind, parse_bind, parse_network
from manor.config.checks import SHIPPED_TIERS
from manor.config.loading import (
    Loaded,
    Misread,
    decode_plugin,
    decode_texts,
    load,
    plugin_enabled,
    read_plugin,
    tier_limits,
    unknown_plugins,
)
from manor.config.managed import change_managed
from manor.config.reporting import Key, Setting, differences, keys, settings
from manor.config.shape import BlobsConfig, Config, IdentityConfig, Limits, Outgoing, Secret, Server, Smtp

__all__ = [
    "SHIPPED_TIERS",
    "Bind",
    "BlobsConfig",
    "Config",
    "FdBind",
    "IdentityConfig",
    "Key",
    "Limits",
    "Loaded",
    "Misread",
    "Network",
    "Outgoing",
    "Secret",
    "Server",
    "Setting",
    "Smtp",
    "TcpBind",
    "UnixBind",
    "change_managed",
    "decode_plugin",
    "decode_texts",
    "differences",
    "keys",
    "load",
    "parse_bind",
    "parse_network",
    "plugin_enabled",
    "read_plugin",
    "settings",
    "tier_limits",
    "unknown_plugins",
]
