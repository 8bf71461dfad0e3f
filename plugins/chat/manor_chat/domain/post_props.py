"""Which of a post's props are the server's to set."""

from __future__ import annotations

from typing import Any

FROM_BOT = "from_bot"
FROM_OAUTH_APP = "from_oauth_app"

OF_SERVER = frozenset({FROM_BOT, FROM_OAUTH_APP, "from_plugin"})
"""They say who wrote a post, so nobody says so themselves."""

OF_INTEGRATIONS = frozenset(
    {
        "from_webhook", "webhook_display_name", "override_username", "override_icon_url", "override_icon_emoji",
        "use_user_icon",
    }
)  # fmt: skip
"""They show a post under another name: bots and webhooks may, people may not."""


def allowed_props(sent: dict[str, Any], before: dict[str, Any], *, is_integration: bool) -> dict[str, Any]:
    """The props that a client may give a post; those that are not its to set stay as they were.

    Args:
        sent: What it sent.
        before: What the post has; empty for a new one.
        is_integration: Whether it writes for a bot.
    """
    kept = OF_SERVER if is_integration else OF_SERVER | OF_INTEGRATIONS
    props = {name: value for name, value in sent.items() if name not in kept}
    return props | {name: before[name] for name in kept if name in before}
