"""What teams, channels and the words about them may be (the API's limits, in characters)."""

from __future__ import annotations

import re

TEAM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")
CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
EMOJI_NAME = re.compile(r"[a-zA-Z0-9_+-]{1,64}")

RESERVED_TEAM_NAMES = frozenset(
    {
        "signup", "login", "admin", "channel", "post", "api", "oauth", "error", "help", "plugins", "playbooks",
        "boards", "files", "hooks", "static", "messages", "threads", "claim", "mfa", "reset_password",
        "should_verify_email", "do_verify_email", "select_team", "create_team",
    }
)  # fmt: skip

DISPLAY_NAME = 64
HEADER = 1024
PURPOSE = 250
MESSAGE = 16_383
PROPS = 800_000
NICKNAME = 64
POSITION = 128
PERSON_NAME = 64
TEAM_DESCRIPTION = 255
ALLOWED_DOMAINS = 500
FILES_OF_A_POST = 10


def is_team_name(name: str) -> bool:
    """Whether a team made through this API may have this name."""
    return TEAM_NAME.fullmatch(name) is not None and name not in RESERVED_TEAM_NAMES


def is_channel_name(name: str) -> bool:
    """Whether a channel may have this name. One that looks like a direct channel's may not."""
    return CHANNEL_NAME.fullmatch(name) is not None and not is_direct_name(name)


def is_direct_name(name: str) -> bool:
    """Whether it is made as a direct channel's name is: of two ids."""
    return _DIRECT_NAME.fullmatch(name) is not None


_DIRECT_NAME = re.compile(r"[a-z0-9]{26}__[a-z0-9]{26}")
