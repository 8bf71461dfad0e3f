"""The `[plugins.chat]` table."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

LIVE = {"live": True}
"""Applied by a reload."""


class ChatConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people may do in chat, and how much."""

    site_name: Annotated[
        str, Meta(min_length=1, max_length=30, description="What clients call this server.", extra=LIVE)
    ] = "Manor"
    requests_per_second: Annotated[
        int, Meta(ge=1, le=10_000, description="Requests of one credential, or of one address without one.")
    ] = 100
    requests_at_once: Annotated[int, Meta(ge=1, le=100_000, description="How many of them may come at once.")] = 1000
    session_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long a sign-in lasts without being used.", extra=LIVE)
    ] = 30
    max_file_bytes: Annotated[
        int, Meta(ge=1024, le=2**31, description="The largest file that is taken, in bytes.", extra=LIVE)
    ] = 104_857_600
    team_creation: Annotated[
        bool, Meta(description="Whether everybody may make teams; false leaves it to administrators.", extra=LIVE)
    ] = True
    direct_messages_within_teams: Annotated[
        bool,
        Meta(description="Whether direct messages are for people who share a team; false lets anybody.", extra=LIVE),
    ] = False
    post_edit_seconds: Annotated[
        int,
        Meta(ge=-1, le=2**31, description="How long an author may edit a post, in seconds; -1 for ever.", extra=LIVE),
    ] = -1
    personal_access_tokens: Annotated[
        bool,
        Meta(
            description="Whether tokens of people open anything; those of bots always do. Who makes them is a role's.",
            extra=LIVE,
        ),
    ] = True
    bot_creation: Annotated[
        Literal["admins", "everybody", "nobody"], Meta(description="Who may make bots.", extra=LIVE)
    ] = "admins"
    self_deactivation: Annotated[
        bool, Meta(description="Whether people may deactivate their own account.", extra=LIVE)
    ] = False
    permanent_deletion: Annotated[
        bool, Meta(description="Whether administrators may erase accounts through the API.", extra=LIVE)
    ] = False
    file_attachments: Annotated[bool, Meta(description="Whether files can be uploaded.", extra=LIVE)] = True
    max_image_pixels: Annotated[
        int,
        Meta(
            ge=1_000_000,
            le=500_000_000,
            description="Pixels of the largest picture that is taken; of a JPEG four times that.",
            extra=LIVE,
        ),
    ] = 33_177_600
    deleted_files_days: Annotated[
        int,
        Meta(ge=0, le=36_500, description="Days from when a post is deleted until its files are.", extra=LIVE),
    ] = 30
    public_links: Annotated[
        bool, Meta(description="Whether people may make links to files that open without a sign-in.", extra=LIVE)
    ] = False
    custom_emoji: Annotated[bool, Meta(description="Whether people may make emoji.", extra=LIVE)] = True
    link_previews: Annotated[
        bool, Meta(description="Whether the server looks at pages that posts link to.", extra=LIVE)
    ] = True
    image_proxy: Annotated[
        bool,
        Meta(description="Whether clients get the pictures of other servers through this one.", extra=LIVE),
    ] = True
    show_email_addresses: Annotated[
        bool, Meta(description="Whether people see each other's e-mail addresses.", extra=LIVE)
    ] = True
    show_full_names: Annotated[
        bool, Meta(description="Whether people see each other's first and last names.", extra=LIVE)
    ] = True
    incoming_webhooks: Annotated[
        bool, Meta(description="Whether incoming webhooks post anything, and may be made.", extra=LIVE)
    ] = True
    incoming_webhook_rate: Annotated[
        int, Meta(ge=1, le=100_000, description="Posts a minute by one incoming webhook.", extra=LIVE)
    ] = 300
    outgoing_webhooks: Annotated[
        bool, Meta(description="Whether outgoing webhooks are called, and may be made.", extra=LIVE)
    ] = True
    slash_commands: Annotated[
        bool,
        Meta(
            description="Whether teams may have slash commands of their own; built-in ones are always there.",
            extra=LIVE,
        ),
    ] = True
