"""Markdown to HTML: what a message may have, and nothing else whatever was typed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manor_stream.chat.rendering import render

EMOJI = {"smile": "/img/emoji/smile.svg", "party": "/img/emoji/party.svg"}
ALLOWED = {
    "a": {"href", "rel", "target"},
    "img": {"src", "alt", "title", "class"},
    **{tag: set[str]() for tag in ("br", "p", "strong", "em", "code", "pre")},
}


class Reader(HTMLParser):
    """Notes the tags and attributes of a document, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def faults(html: str) -> list[str]:
    """What of a document is outside the list."""
    found = []
    for tag, attributes in read(html).tags:
        if tag not in ALLOWED:
            found.append(f"<{tag}>")
            continue
        found += [f"<{tag} {name}>" for name in attributes.keys() - ALLOWED[tag]]
        if tag == "a":
            href = attributes.get("href", "http://")
            if not (href or "").lower().startswith(("http://", "https://")):
                found.append(f"href {href}")
            if (attributes.get("rel"), attributes.get("target")) != ("noreferrer", "_blank"):
                found.append("a link that says where it comes from")
        if tag == "img" and not (attributes.get("src") or "").startswith("/img/emoji/"):
            found.append(f"src {attributes.get('src')}")
    return found


@pytest.mark.parametrize(
    ("typed", "html"),
    [
        ("hello", "<p>hello</p>"),
        ("**a** *b* _c_ `d`", "<p><strong>a</strong> <em>b</em> <em>c</em> <code>d</code></p>"),
        ("a\nb\n\nc", "<p>a<br>\nb</p>\n<p>c</p>"),
        ("```js\nx < y\n```", "<pre><code>x &lt; y\n</code></pre>"),
        ("# no heading\n- no list", "<p># no heading<br>\n- no list</p>"),
        (
            "[x](https://a.example/?b=c&d)",
            '<p><a href="https://a.example/?b=c&amp;d" target="_blank" rel="noreferrer">x</a></p>',
        ),
        (
            "see https://a.example/b, or (http://c.example).",
            '<p>see <a href="https://a.example/b" target="_blank" rel="noreferrer">https://a.example/b</a>, or '
            '(<a href="http://c.example" target="_blank" rel="noreferrer">http://c.example</a>).</p>',
        ),
        ("`https://a.example`", "<p><code>https://a.example</code></p>"),
        (
            ":smile: :nobody:",
            '<p><img src="/img/emoji/smile.svg" alt=":smile:" title=":smile:" class="emoji"> :nobody:</p>',
        ),
        ("`:smile:`", "<p><code>:smile:</code></p>"),
        (
            'a <img class="emoji" src="/img/emoji/smile.svg">',
            '<p>a <img class="emoji" src="/img/emoji/smile.svg"></p>',
        ),
        ("a < b && c > d", "<p>a &lt; b &amp;&amp; c &gt; d</p>"),
        ("<b>bold</b>", "<p>bold</p>"),
    ],
)
def test_a_message_is_shown_as_it_was_meant(typed: str, html: str) -> None:
    assert read(render(typed, EMOJI)).tags == read(html).tags
    assert read(render(typed, EMOJI)).text == read(html).text


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " \n\t ",
        "<script>alert(1)</script>",
        "<style>*{}</style>",
        "<b></b>",
        "<!-- nothing -->",
        '<img src="https://tracker.example/x.png">',
        '<img src="/img/emoji/../../api/chat">',
        '<img src="/img/emoji/a..%2f..%2fapi/chat">',
        "<img src=x onerror=alert(1)>",
        "<svg><script>1</script></svg>",
        "&nbsp;",
    ],
)
def test_what_shows_nothing_is_nothing(typed: str) -> None:
    assert render(typed, EMOJI) == ""


ATTACKS = [
    "<script>alert(1)</script> x",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<SCRIPT SRC=//evil.example></SCRIPT> x",
    "<img src=x onerror=alert(1)> x",
    "<img src='/img/emoji/../../api/admin/x.png'> x",
    "<img src='/img/emoji/a.svg' onload=alert(1)> x",
    "<img src='/img/emoji/%2e%2e/%2e%2e/x'> x",
    "<img src='/IMG/EMOJI/a.svg'> x",
    "<img src='//evil.example/img/emoji/a.svg'> x",
    "<img alt='a>b<script>' src='/img/emoji/a.svg'> x",
    "<img alt='\"><script>alert(1)</script>' src='/img/emoji/a.svg'> x",
    "<svg/onload=alert(1)> x",
    "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>x",
    "<iframe src=javascript:alert(1)></iframe> x",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='/admin/'>x</a>",
    "<a href='//evil.example'>x</a>",
    "<a href='https://x' style='position:fixed' class=y id=z onclick=alert(1)>x</a>",
    "<a href='https://x' target=_self rel=opener>x</a>",
    "[x](javascript:alert(1))",
    "[x](JAVASCRIPT:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](https://a' onmouseover='alert(1))",
    '[x](https://a"onmouseover="alert)',
    '[x](<https://a"onmouseover=alert(1)>)',
    "[**[x](javascript:1)**](https://a)",
    "![x](https://tracker.example/x.png)",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    '<https://a/"onmouseover="alert(1)>',
    'https://a.example/"onmouseover="alert(1)',
    "https://a.example/<script>alert(1)</script>",
    "https://a.example/`x` https://[::1",
    ':smile:" onerror="alert(1)',
    "`<script>alert(1)</script>`",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\<script>alert(1)</script>",
    "<p><p><strong><a href=https://x><a href=https://y>x",
    "</p></div></li><script>alert(1)</script> x",
    "<base href=https://evil.example> x",
    "<form action=https://evil.example><input name=x> x",
    "<meta http-equiv=refresh content=0;url=https://evil.example> x",
    "<textarea><script>alert(1)</script> x",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'> x",
    "<plaintext> x",
    "a <!-- <img src=x onerror=alert(1)> --> b",
    "<x onclick=alert(1)>x",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "<\u0000script>alert(1)</script>",
    "<a\u00a0href=javascript:alert(1)>x</a>",
    "\u202e<script>x",
    "<b onmouseover=alert(1)>x</b>",
    "*<b>*</b> **<em>**</em> x",
    "[" * 2000 + "x",
    "*" * 2000 + "x",
    "<a href=https://x>" * 100,
    "> " * 500 + "x",
]


@pytest.mark.parametrize("words", ["it is <b>me</b>", "x&quot; onload=y", "&lt;script&gt;", "x" * 81, ""])
def test_an_emoji_says_what_it_is_in_a_few_words_or_not_at_all(words: str) -> None:
    ((_, _), (tag, attributes)) = read(render(f'a <img src="/img/emoji/smile.svg" alt="{words}" title="{words}">')).tags

    assert (tag, attributes) == ("img", {"src": "/img/emoji/smile.svg", "class": "emoji"})


@pytest.mark.parametrize("typed", ATTACKS)
def test_an_attack_leaves_nothing_that_acts(typed: str) -> None:
    html = render(typed, EMOJI)

    assert faults(html) == []
    assert "<script" not in html.lower()
    assert "<!" not in html


@pytest.mark.parametrize("line", ["x\n", "x\n\n", "x<br>", "<p>x", "```\nx\n```\n"])
def test_a_message_of_very_many_lines_is_shown_on_one(line: str) -> None:
    few, many = render(line * 10, EMOJI), render(line * 51, EMOJI)

    assert len(re.findall("<(?:br|p|pre)\\b", few)) >= 10
    assert len(re.findall("<(?:br|p|pre)\\b", many)) == 1
    assert many.count("x") == 51


_PIECES = st.sampled_from(
    [
        *("<", ">", '"', "'", "=", "/", "\\", "&", ";", "#", ":", "(", ")", "[", "]", "!", "*", "_", "`"),
        *("```\n", "\n", " "),
        *("script", "img", "a", "svg", "style", "p", "code", "pre", "math", "href", "src", "onerror", "alt", "title"),
        *("javascript:", "data:", "https://", "http://a.example", "/img/emoji/", "smile.svg", "..", ":smile:"),
        *("&lt;", "&#60;", "&quot;", "&Tab;", "\u0000", "\u202e", "\u2028", "<!--", "-->", "<![CDATA[", "é"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(_PIECES, max_size=30).map("".join), st.text(max_size=200)))
def test_no_tag_and_no_attribute_outside_the_list_comes_out(typed: str) -> None:
    assert faults(render(typed, EMOJI)) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(_PIECES, max_size=30).map("".join))
def test_what_was_sanitised_is_sanitised(typed: str) -> None:
    once = render(typed, EMOJI)

    assert faults(render(once, EMOJI)) == []
