"""Letters to people who are asked to join: a team, or this server."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from manor.mail.composing import Message

KIND = "invite"
"""What admins look their links up by."""


def team_invite_letter(
    base: str, *, to: str, token: str, team: str, inviter: str, user_id: UUID | None = None
) -> Message:
    """Asks somebody to join a team. The token stands on a line of its own too, for who joins by a program.

    Args:
        base: Where the link leads: the front end, else this server; without a trailing slash.
        to: Who is asked.
        token: Of `invite` or `resend_invite`.
        team: The team's `name`; not what it is displayed as, which may be anything, a stranger's advertisement too.
        inviter: The username of who asks.
        user_id: Who is asked, if they have an account.
    """
    link = f"{base}/teams/invite?{urlencode({'token': token})}"
    text = (
        f"{inviter} asks you to join the team {team}.\n\n"
        f"Open this link within 7 days to join:\n\n{link}\n\n"
        f"A program that joins for you wants this token:\n\n{token}\n\n"
        "If you do not want to, do nothing."
    )
    return Message(to=to, subject=f"Join the team {team}", text=text, kind=KIND, link=link, user_id=user_id)


def server_invite_letter(base: str, *, to: str, token: str) -> Message:
    """Asks somebody to make an account here.

    Args:
        base: Where the link leads: the front end, else this server; without a trailing slash.
        to: Who is asked.
        token: Of `invite_to_server`.
    """
    link = f"{base}/register?{urlencode({'invite': token})}"
    text = (
        "The admin of this server asks you to make an account, with this e-mail address.\n\n"
        f"Open this link within 7 days to make it:\n\n{link}\n\n"
        f"A program that signs you up wants this token:\n\n{token}\n\n"
        "If you do not want one, do nothing."
    )
    return Message(to=to, subject="You are invited", text=text, kind=KIND, link=link)
