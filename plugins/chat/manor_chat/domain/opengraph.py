"""What a page says of itself for those who show a link to it (https://ogp.me). Pure.

Only `<meta>` and `<title>` are looked for, in what pages begin with, and each in bounded time: what is read here is
written by anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin, urlsplit

LOOKED_AT = 512 * 1024
"""Bytes of a page."""

MOST_TAGS = 200
LONGEST_TAG = 4096
LONGEST_TITLE = 300
LONGEST_TEXT = 1000
LONGEST_URL = 2048
MOST_IMAGES = 5

_ATTRIBUTE = re.compile(r"""([a-zA-Z:_-]{1,40})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_-]{1,40})""")
# Codecs of the standard library may be anything; some take a very long time.
_CHARSETS = re.compile(r"utf-?8|utf-?16|(iso-?8859|windows|cp)-?\d{1,4}(-\d{1,2})?|us-ascii|ascii|latin-?1|koi8-[ru]|"
                       r"shift_jis|sjis|euc-(jp|kr)|gb2312|gbk|gb18030|big5")  # fmt: skip
_BLANKS = re.compile(r"\s+")
_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass
class PageImage:
    """A picture of a page."""

    url: str
    secure_url: str = ""
    type: str = ""
    width: int = 0
    height: int = 0


@dataclass
class Page:
    """What a page says of itself."""

    url: str
    type: str = ""
    title: str = ""
    description: str = ""
    site_name: str = ""
    locale: str = ""
    determiner: str = ""
    images: list[PageImage] = field(default_factory=list)


def read_page(url: str, content_type: str, content: bytes) -> Page:
    """What the page says; of one that says nothing only its address."""
    page = Page(url)
    text = _decoded(content[:LOOKED_AT], content_type)
    folded = text.lower()
    fallback = ""
    for tag in _tags(text, folded):
        named = {name.lower(): unescape(one or two or three) for name, one, two, three in _ATTRIBUTE.findall(tag)}
        name, said = (named.get("property") or named.get("name") or "").lower(), named.get("content", "")
        if name == "description":
            fallback = said
        elif name.startswith("og:"):
            _note(page, name.removeprefix("og:"), _tidy(said), url)
    page.title = page.title or _tidy(_title(text, folded))[:LONGEST_TITLE]
    page.description = page.description or _tidy(fallback)[:LONGEST_TEXT]
    page.images = [each for each in page.images if each.url]
    return page


def is_web_address(text: str) -> bool:
    """Whether this is an address that a browser opens as a page."""
    if not 0 < len(text) <= LONGEST_URL or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.netloc)


def absolute(base: str, address: str) -> str:
    """An address as it is meant on a page; "" for what is none."""
    try:
        joined = urljoin(base, address)
    except ValueError:
        return ""
    return joined if is_web_address(joined) else ""


def _note(page: Page, name: str, said: str, base: str) -> None:
    match name:
        case "title":
            page.title = page.title or said[:LONGEST_TITLE]
        case "description":
            page.description = page.description or said[:LONGEST_TEXT]
        case "type" | "site_name" | "locale" | "determiner":
            setattr(page, name, getattr(page, name) or said[:LONGEST_TITLE])
        case "url":
            page.url = absolute(base, said) or page.url
        case "image" | "image:url":
            found = absolute(base, said)
            known = page.images[-1].url if page.images else None
            if len(page.images) < MOST_IMAGES and found != known:
                page.images.append(PageImage(found))
        case "image:secure_url" if page.images:
            page.images[-1].secure_url = absolute(base, said)
        case "image:type" if page.images:
            page.images[-1].type = said[:100]
        case "image:width" | "image:height" if page.images and _NUMBER.fullmatch(said):
            setattr(page.images[-1], name.removeprefix("image:"), int(said))


def _tags(text: str, folded: str) -> list[str]:
    found: list[str] = []
    start = 0
    while len(found) < MOST_TAGS and (start := folded.find("<meta", start)) >= 0:
        tag = text[start + 5 : start + LONGEST_TAG]
        end = 0
        for match in _ATTRIBUTE.finditer(tag):
            if ">" in tag[end : match.start()]:
                break
            end = match.end()
        found.append(tag[:end])
        start += 5 + end
    return found


def _title(text: str, folded: str) -> str:
    start = folded.find("<title")
    opened = folded.find(">", start) if start >= 0 else -1
    closed = folded.find("</title", opened) if opened >= 0 else -1
    return unescape(text[opened + 1 : min(closed, opened + 1 + LONGEST_TAG)]) if closed >= 0 else ""


def _tidy(text: str) -> str:
    return _BLANKS.sub(" ", "".join(each if each.isprintable() else " " for each in text[:LONGEST_TAG])).strip()


def _decoded(content: bytes, content_type: str) -> str:
    match = _CHARSET.search(content_type.lower().encode("latin-1", "replace")) or _CHARSET.search(content[:4096])
    charset = match[1].decode("ascii").lower() if match else "utf-8"
    try:
        return content.decode(charset if _CHARSETS.fullmatch(charset) else "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
