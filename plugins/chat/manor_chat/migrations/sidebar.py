"""The sidebar."""

from __future__ import annotations

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.sidebar import sidebar_categories, sidebar_channels

STEPS = [Migration("0015_sidebar", making(sidebar_categories, sidebar_channels))]
