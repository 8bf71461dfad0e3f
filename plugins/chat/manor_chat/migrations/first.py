"""People, teams, channels, posts, files and preferences."""

from __future__ import annotations

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.people import mention_keys, profiles, teams
from manor_chat.tables.personal import preferences, statuses
from manor_chat.tables.posts import files, posts, reactions, thread_members

STEPS = [
    Migration("0001_people", making(profiles, mention_keys, teams)),
    Migration("0002_channels", making(channels, channel_members)),
    Migration("0003_posts", making(posts, thread_members, reactions, files)),
    Migration("0004_personal", making(preferences, statuses)),
]
