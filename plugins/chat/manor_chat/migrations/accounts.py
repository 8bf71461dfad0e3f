"""Devices of sessions, disabled tokens, bots, and what was told of people."""

from __future__ import annotations

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.accounts import bots, disabled_tokens, people_told, session_devices

STEPS = [
    Migration("0010_accounts", making(session_devices, disabled_tokens, bots, people_told)),
]
