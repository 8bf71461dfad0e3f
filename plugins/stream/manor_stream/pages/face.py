"""What the pages have in common: who opens them, what their policy lets in, and how a form says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec
from markupsafe import Markup

from manor import (
    PAGE,
    Basic,
    Dialect,
    ErrorContext,
    Forbidden,
    Kinds,
    Pages,
    Rate,
    Refused,
    Rendered,
    Reply,
    Request,
    page_api,
    troubles_of,
)
from manor_stream.http.api import ADMIN_API
from manor_stream.key_check import STREAM_ADMIN
from manor_stream.markdown import render_page
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle, StreamSettings

HOME = "/admin/"

_WEB = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_HEADING = re.compile(r"(</?h)([1-5])(?=>)")
_HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


def _ask_for_the_key(refused: Refused, context: ErrorContext) -> Rendered:
    """Errors are pages; a missing credential is one that has the browser ask for it, not a way to the sign-in page."""
    if refused.status != 401:
        return PAGE.render(refused, context)
    asked = PAGE.render(Forbidden("Sign in as admin, with the stream key as the password"), context)
    return replace(asked, status=401)


WATCH_PAGES = replace(page_api("stream pages", kinds=(), places=()), anonymous_rate=Rate(600))
"""Open to everybody."""

ADMIN_PAGES = replace(
    page_api("stream admin pages", kinds=(STREAM_ADMIN,), places=(Basic(),)),
    dialect=Dialect("stream admin page", PAGE.content_type, _ask_for_the_key, PAGE.schema),
    challenge=ADMIN_API.challenge,
    anonymous_rate=ADMIN_API.anonymous_rate,
    signed_in_rate=ADMIN_API.signed_in_rate,
    prefixes=("/admin",),
    credential_first=True,
)
"""Open to the user `admin`, with the stream key."""

ADMINISTRATOR = Kinds(STREAM_ADMIN)

NAMES_OF_PLATFORMS = {
    "bandcamp": "Bandcamp",
    "codeberg": "Codeberg",
    "discord": "Discord",
    "facebook": "Facebook",
    "github": "GitHub",
    "gitlab": "GitLab",
    "instagram": "Instagram",
    "kofi": "Ko-fi",
    "lemmy": "Lemmy",
    "liberapay": "Liberapay",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "matrix": "Matrix",
    "mixcloud": "Mixcloud",
    "patreon": "Patreon",
    "peertube": "PeerTube",
    "pixelfed": "Pixelfed",
    "soundcloud": "SoundCloud",
    "steam": "Steam",
    "telegram": "Telegram",
    "tiktok": "TikTok",
    "twitch": "Twitch",
    "twitter": "Twitter",
    "xmpp": "XMPP",
    "youtube": "YouTube",
}
"""How platforms spell themselves; others are shown as they were typed."""


def is_web(url: str) -> bool:
    """Whether it is safe to have somebody follow it."""
    return _WEB.fullmatch(url) is not None


def origin_of(url: str) -> str:
    """Scheme and host, as a policy names them; "" for what is no URL of the web."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    is_fit = parts.scheme in ("http", "https") and _HOST.fullmatch(host)
    return f"{parts.scheme}://{host}{port}" if is_fit else ""


def video_policy(s3: S3Settings) -> dict[str, str]:
    """What playing takes: a worker made of a blob, and segments from where they are."""
    elsewhere = origin_of(s3.serving_endpoint or s3.endpoint) if s3.enabled else ""
    policy = {"worker-src": "blob:"}
    if elsewhere:
        policy |= {"connect-src": f"'self' {elsewhere}", "media-src": f"'self' blob: {elsewhere}"}
    return policy


def picture_policy(content: str) -> dict[str, str]:
    """Lets in the pictures that the admin shows from other sites, if there are any."""
    return {"img-src": "'self' data: blob: https:"} if "<img" in content else {}


def rendered(markdown: str) -> Markup:
    """The admin's markdown as a page shows it: the renderer has taken out what could do harm.

    Headings are a level deeper: the page's own is above them.
    """
    html = _HEADING.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", render_page(markdown))
    return Markup(html)  # noqa: S704 - sanitised HTML


def style_of(settings: StreamSettings) -> Markup:
    """The admin's own style, so written that it cannot end the element that it stands in."""
    return Markup(settings.custom_styles.replace("</", "<\\/"))  # noqa: S704 - the text of a style element


@dataclass(frozen=True, slots=True)
class Link:
    """Something beside the video that leads elsewhere."""

    label: str
    href: str
    title: str = ""


def social_links(handles: Sequence[SocialHandle]) -> list[Link]:
    """Where else the broadcaster is found: the web alone."""
    return [
        Link(NAMES_OF_PLATFORMS.get(each.platform.lower(), each.platform) or each.url, each.url)
        for each in handles
        if is_web(each.url)
    ]


def action_links(actions: Sequence[ExternalAction]) -> list[Link]:
    """Buttons that open another page: the web alone."""
    return [Link(each.title or each.url, each.url, each.description) for each in actions if is_web(each.url)]


class DoneQuery(msgspec.Struct, frozen=True):
    """What was done last."""

    done: str = ""


class Face:
    """Renders pages and forms.

    Args:
        pages: The plugin's templates.
    """

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def show(
        self,
        request: Request[Any, Any],
        template: str,
        refused: Refused | None = None,
        *,
        policy: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Reply:
        """Make a page; with a refusal it says what was wrong with the form.

        Args:
            request: What it answers.
            template: Its name.
            refused: Why a form was not taken.
            policy: What it needs besides what every page has.
            values: What the template shows.
        """
        known = {"home": HOME, "troubles": {}, "custom_style": ""}
        if refused is None:
            return self.pages.render(request, template, policy=policy, **{**known, **values})
        known["troubles"] = troubles_of(refused, is_named=True)
        page = self.pages.render(request, template, status=refused.status, policy=policy, **{**known, **values})
        return replace(page, headers={**page.headers, **refused.headers})
