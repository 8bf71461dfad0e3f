"""Markdown of the admin's, as HTML that is safe on the watch page."""

from __future__ import annotations

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

LONGEST = 100_000
"""Characters that are rendered; a page of more than that is cut."""

TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "center", "cite", "code", "dd", "del", "details", "div", "dl"),
    *("dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li"),
    *("mark", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td"),
    *("tfoot", "th", "thead", "tr", "u", "ul"),
}
"""Text, pictures and tables; nothing that runs, loads a page, or asks for input."""

ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "details": {"open"},
    "img": {"alt", "height", "src", "title", "width"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
}

SCHEMES = {"http", "https", "mailto"}

_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])


@lru_cache(maxsize=8)
def render_page(text: str) -> str:
    """HTML of a page's markdown, which may have HTML in it; what is not known to be harmless is taken out.

    Args:
        text: CommonMark, with tables and strikethrough.
    """
    return nh3.clean(
        _MARKDOWN.render(text[:LONGEST]),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
