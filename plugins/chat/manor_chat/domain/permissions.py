"""Roles and what they permit: the built-in roles of a current Mattermost server after its default migrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SYSTEM_USER = "system_user"
SYSTEM_ADMIN = "system_admin"
SYSTEM_GUEST = "system_guest"
TEAM_USER = "team_user"
TEAM_ADMIN = "team_admin"
TEAM_GUEST = "team_guest"
CHANNEL_USER = "channel_user"
CHANNEL_ADMIN = "channel_admin"
CHANNEL_GUEST = "channel_guest"

_BOOKMARKS = tuple(
    f"{verb}_bookmark_{kind}_channel" for verb in ("add", "edit", "delete", "order") for kind in ("public", "private")
)
_HOOKS = tuple(
    f"manage_{whose}{what}"
    for whose in ("", "others_", "own_")
    for what in ("incoming_webhooks", "outgoing_webhooks", "slash_commands")
)

_ROLES: Mapping[str, tuple[str, ...]] = {
    SYSTEM_USER: (
        "list_public_teams", "join_public_teams", "create_team", "create_direct_channel", "create_group_channel",
        "view_members", "create_emojis", "delete_emojis",
    ),
    SYSTEM_GUEST: ("create_direct_channel", "create_group_channel"),
    "system_post_all": ("create_post", "use_channel_mentions"),
    "system_post_all_public": ("create_post_public", "use_channel_mentions"),
    "system_user_access_token": (
        "create_user_access_token", "read_user_access_token", "revoke_user_access_token",
    ),
    TEAM_USER: (
        "list_team_channels", "join_public_channels", "read_public_channel", "view_team", "create_public_channel",
        "create_private_channel", "invite_user", "add_user_to_team", "read_public_channel_groups",
        "read_private_channel_groups",
    ),
    TEAM_ADMIN: (
        "remove_user_from_team", "manage_team", "import_team", "manage_team_roles", "manage_channel_roles", *_HOOKS,
        "convert_public_channel_to_private", "convert_private_channel_to_public", "create_post", "edit_post",
        "delete_post", "delete_others_posts", "add_reaction", "remove_reaction", "read_channel",
        "use_channel_mentions", "upload_file", "manage_private_channel_members", "manage_public_channel_members",
        "manage_public_channel_properties", "manage_private_channel_properties", "delete_public_channel",
        "delete_private_channel", *_BOOKMARKS,
    ),
    TEAM_GUEST: ("view_team",),
    "team_post_all": ("create_post", "use_channel_mentions"),
    "team_post_all_public": ("create_post_public", "use_channel_mentions"),
    CHANNEL_USER: (
        "read_channel", "read_channel_content", "add_reaction", "remove_reaction", "upload_file", "get_public_link",
        "create_post", "edit_post", "delete_post", "use_channel_mentions", "use_slash_commands",
        "manage_public_channel_properties", "manage_private_channel_properties", "manage_public_channel_members",
        "manage_private_channel_members", "delete_public_channel", "delete_private_channel", *_BOOKMARKS,
    ),
    CHANNEL_ADMIN: ("manage_channel_roles", "use_group_mentions", *_BOOKMARKS),
    CHANNEL_GUEST: (
        "read_channel", "read_channel_content", "add_reaction", "remove_reaction", "upload_file", "edit_post",
        "create_post", "use_channel_mentions", "use_slash_commands",
    ),
}  # fmt: skip

_ONLY_ADMINISTRATORS = (
    "manage_system", "manage_roles", "edit_other_users", "read_other_users_teams", "list_private_teams",
    "join_private_teams", "create_bot", "read_bots", "read_others_bots", "manage_bots", "manage_others_bots",
    "edit_others_posts", "create_post_ephemeral", "create_post_public", "create_user_access_token",
    "read_user_access_token", "revoke_user_access_token", "remove_others_reactions", "delete_others_emojis",
    "list_users_without_team", "manage_oauth", "manage_system_wide_oauth", "read_public_channel",
    "read_license_information", "manage_jobs", "read_audits", "get_logs", "get_analytics", "permanent_delete_user",
    "manage_shared_channels", "promote_guest", "demote_to_guest", "view_team", "create_user", "assign_bot",
)  # fmt: skip

EVERYTHING = frozenset(_ONLY_ADMINISTRATORS) | {word for words in _ROLES.values() for word in words}
"""What there is; an administrator has it all."""

ROLES: Mapping[str, frozenset[str]] = {name: frozenset(words) for name, words in _ROLES.items()} | {
    SYSTEM_ADMIN: EVERYTHING
}
"""Permissions by role."""


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """What several roles permit together; a name that is no role permits nothing."""
    return frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))
