"""What was typed, as HTML that is safe to show. Pure.

Two walls: markdown makes the few tags that messages have, and whatever HTML people typed passes it; the sanitiser
behind it lets through those tags alone, with those attributes alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

TAGS = frozenset({"a", "br", "p", "strong", "em", "code", "pre", "img"})
SCHEMES = frozenset({"http", "https"})

_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{|}\x00-\x20]+", re.IGNORECASE)
_EMOJI = re.compile(r":([A-Za-z0-9_+-]{1,64}):")
_EMOJI_PATH = re.compile(r"/img/emoji/(?:[A-Za-z0-9_+-][A-Za-z0-9_.+-]*/){0,4}[A-Za-z0-9_+-][A-Za-z0-9_.+%-]*")
_WORDS = re.compile(r"[\w :+.-]{1,80}")
_IMAGE = re.compile(r"<img[^>]*>")
_ANY_TAG = re.compile(r"<[^>]*>")
_TRAILING = ".,:;!?"

_SIGNS = re.compile(r"[\[\]*_`<&\\!]")
_MOST_SIGNS = 200
"""With more signs than this a message is text and no markdown: pairs of them are sought for far longer than people
would wait who write at the same time."""

_BREAK = re.compile(r"<(?:br|p|pre)\b")
_MOST_LINES = 50
"""A message of more lines is shown on one: it would push everybody else's out of sight, and each takes its time."""

Emoji = Mapping[str, str]
"""The paths of the images by their names."""


def render(text: str, emoji: Emoji | None = None) -> str:
    """The HTML of a message; "" where nothing of it can be shown.

    Args:
        text: As it was typed: emphasis, code, links and addresses, line breaks, `:name:` for an emoji.
        emoji: Those that there are.
    """
    if text.count("\n") >= _MOST_LINES:
        text = text.replace("\n", " ")
    html = _rendered(_markdown if len(_SIGNS.findall(text)) <= _MOST_SIGNS else _plain, text, emoji)
    if len(_BREAK.findall(html)) > _MOST_LINES:
        html = _rendered(_plain, text.replace("\n", " "), emoji)
    return html if "<img" in html or _ANY_TAG.sub("", html).replace("&nbsp;", " ").strip() else ""


def _rendered(markdown: MarkdownIt, text: str, emoji: Emoji | None) -> str:
    html = _sanitiser.clean(markdown.render(text, {"emoji": emoji or {}}))
    return _IMAGE.sub(lambda match: match[0] if ' src="' in match[0] else "", html).strip()


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    """What an attribute may be; None takes it away. The sanitiser asks this after its own lists."""
    match tag, attribute:
        case "a", "href":
            # Schemes are the sanitiser's; what has none would lead to a path of this server.
            return value if value.lower().startswith(("http://", "https://")) else None
        case "img", "src":
            return value if _EMOJI_PATH.fullmatch(value) and ".." not in value else None
        case "img", "alt" | "title":
            return value if _WORDS.fullmatch(value) else None
        case _:
            return value


def _with_addresses_and_emoji(state: StateCore) -> None:
    """Make links of the addresses in a text, and images of the emoji; not within links and code."""
    emoji: Emoji = state.env.get("emoji", {})
    for block in state.tokens:
        if block.type != "inline" or not block.children:
            continue
        children: list[Token] = []
        depth = 0
        for token in block.children:
            depth += (token.type == "link_open") - (token.type == "link_close")
            if token.type != "text":
                children.append(token)
            elif depth:
                children.extend(_emoji_in(token.content, emoji))
            else:
                children.extend(_addresses_in(token.content, emoji))
        block.children = children


def _addresses_in(text: str, emoji: Emoji) -> list[Token]:
    tokens: list[Token] = []
    end = 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(_TRAILING)
        if address.endswith(")") and "(" not in address:
            address = address[:-1].rstrip(_TRAILING)
        if len(address) <= len("https://"):
            continue
        tokens += _emoji_in(text[end : match.start()], emoji)
        tokens += [_html(f'<a href="{escape(address)}">'), _text(address), _html("</a>")]
        end = match.start() + len(address)
    return [*tokens, *_emoji_in(text[end:], emoji)]


def _emoji_in(text: str, emoji: Emoji) -> list[Token]:
    tokens: list[Token] = []
    end = 0
    for match in _EMOJI.finditer(text) if emoji else ():
        path = emoji.get(match[1])
        if path is None:
            continue
        name = escape(match[0])
        tokens += [_text(text[end : match.start()]), _html(f'<img src="{escape(path)}" alt="{name}" title="{name}">')]
        end = match.end()
    return [*tokens, _text(text[end:])] if end < len(text) else tokens


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _html(content: str) -> Token:
    return Token("html_inline", "", 0, content=content)


def _made_markdown(rules: Sequence[str]) -> MarkdownIt:
    markdown = MarkdownIt("zero", {"html": True, "breaks": True})
    markdown.enable(list(rules))
    markdown.core.ruler.push("addresses_and_emoji", _with_addresses_and_emoji)
    return markdown


_plain = _made_markdown(["newline"])
_markdown = _made_markdown(
    [
        "newline",
        "fence",
        "backticks",
        "escape",
        "entity",
        "link",
        "autolink",
        "html_inline",
        "emphasis",
        "balance_pairs",
    ]
)

_sanitiser = nh3.Cleaner(
    tags=set(TAGS),
    attributes={"a": {"href"}, "img": {"src", "alt", "title"}},
    attribute_filter=_allowed,
    url_schemes=set(SCHEMES),
    link_rel="noreferrer",
    set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"class": "emoji"}},
    strip_comments=True,
)
