"""The integrations' tables."""

from __future__ import annotations

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.integrations import command_replies, commands, incoming_hooks, outgoing_hooks

STEPS = [
    Migration("0040_hooks", making(incoming_hooks, outgoing_hooks)),
    Migration("0041_commands", making(commands, command_replies)),
]
