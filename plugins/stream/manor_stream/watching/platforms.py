"""Where else broadcasters are found: the platforms that pages know by name, each with a badge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from types import MappingProxyType

BADGE_PATH = "/img/platformlogos/"

OTHER = "other"
"""The badge of a platform that is not listed."""

PLATFORMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bandcamp": ("Bandcamp", "#2d7f96"),
        "bluesky": ("Bluesky", "#1769d6"),
        "codeberg": ("Codeberg", "#2f5f96"),
        "discord": ("Discord", "#4f58c8"),
        "facebook": ("Facebook", "#2a63b8"),
        "funkwhale": ("Funkwhale", "#2c6f8f"),
        "github": ("GitHub", "#2b2f36"),
        "gitlab": ("GitLab", "#b8501f"),
        "instagram": ("Instagram", "#a83276"),
        "keyoxide": ("Keyoxide", "#5a4fa8"),
        "kofi": ("Ko-fi", "#b0483f"),
        "lemmy": ("Lemmy", "#2f7a4c"),
        "liberapay": ("Liberapay", "#8a7414"),
        "linkedin": ("LinkedIn", "#1e5f9a"),
        "mastodon": ("Mastodon", "#5349c2"),
        "matrix": ("Matrix", "#30343b"),
        "odysee": ("Odysee", "#b02e5c"),
        "patreon": ("Patreon", "#b84a3c"),
        "paypal": ("PayPal", "#24457e"),
        "peertube": ("PeerTube", "#b55a1a"),
        "pixelfed": ("Pixelfed", "#7a3a9e"),
        "snapchat": ("Snapchat", "#857a00"),
        "soundcloud": ("SoundCloud", "#b85412"),
        "spotify": ("Spotify", "#1d7a40"),
        "steam": ("Steam", "#22384f"),
        "telegram": ("Telegram", "#2477a8"),
        "tiktok": ("TikTok", "#2b2b33"),
        "twitch": ("Twitch", "#6b3fb8"),
        "twitter": ("Twitter", "#2272a8"),
        "xmpp": ("XMPP", "#335a80"),
        "youtube": ("YouTube", "#b02a2a"),
    }
)
"""Names for people and badges' colours, by the name that a social handle has."""


def badge_path(platform: str) -> str:
    """Where a platform's badge is served; that of others for one that is not listed."""
    name = platform.lower()
    return f"{BADGE_PATH}{name if name in PLATFORMS else OTHER}.svg"


@cache
def badges() -> Mapping[str, bytes]:
    """The badges (SVG) by file name: a disc with the platform's first letter, for its logo is not ours to give."""
    drawn = {f"{name}.svg": _badge(title[0], color) for name, (title, color) in PLATFORMS.items()}
    return MappingProxyType({**drawn, f"{OTHER}.svg": _badge("@", "#5b6270")})


def _badge(letter: str, color: str) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><circle cx="32" cy="32" r="30" fill="{color}"/>'
        '<text x="32" y="44" font-family="sans-serif" font-size="34" font-weight="bold" text-anchor="middle" '
        f'fill="#fff">{escape(letter)}</text></svg>\n'
    ).encode()
