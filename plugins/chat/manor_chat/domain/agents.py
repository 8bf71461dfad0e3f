"""What a client says it is, in the three words that lists of sessions show."""

from __future__ import annotations

import re

_OPERATING_SYSTEMS = (
    ("iphone", "iOS"),
    ("ipad", "iOS"),
    ("darwin", "iOS"),
    ("android", "Android"),
    ("windows", "Windows"),
    ("mac os", "Mac OS"),
    ("macintosh", "Mac OS"),
    ("cros", "Chrome OS"),
    ("linux", "Linux"),
)
_BROWSERS = (
    ("mattermost mobile", re.compile(r"mattermost mobile/([\w.]+)"), "Mobile App"),
    ("mattermost", re.compile(r"mattermost/([\w.]+)"), "Desktop App"),
    ("edg", re.compile(r"edga?/([\w.]+)"), "Edge"),
    ("opr", re.compile(r"opr/([\w.]+)"), "Opera"),
    ("firefox", re.compile(r"firefox/([\w.]+)"), "Firefox"),
    ("chrome", re.compile(r"chrome/([\w.]+)"), "Chrome"),
    ("safari", re.compile(r"version/([\w.]+)"), "Safari"),
)
_PRODUCT = re.compile(r"([a-z][a-z0-9._-]{0,40})/([\w.]{1,20})", re.IGNORECASE)


def describe_agent(user_agent: str) -> dict[str, str]:
    """`platform`, `os` and `browser` of a `User-Agent` header."""
    folded = user_agent.lower()
    system = next((name for word, name in _OPERATING_SYSTEMS if word in folded), "")
    return {"platform": _platform(folded, system), "os": system, "browser": _browser(user_agent, folded)}


def _platform(folded: str, system: str) -> str:
    if "iphone" in folded or "ipad" in folded:
        return "iPhone" if "iphone" in folded else "iPad"
    return {"Mac OS": "Macintosh", "Android": "Linux"}.get(system, system)


def _browser(user_agent: str, folded: str) -> str:
    for word, version, name in _BROWSERS:
        if word in folded:
            found = version.search(folded)
            return f"{name}/{found[1]}" if found else name
    product = _PRODUCT.match(user_agent)
    return f"{product[1]}/{product[2]}" if product else ""
