"""Text in headers that take only ASCII: encoded words (RFC 2047), read leniently, as clients write them.

A word that cannot be read stays as it was sent (RFC 2047 section 6.3): nothing is guessed, and no replacement
character stands for what a client meant.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

CHARSETS = frozenset(
    """
    us-ascii ascii utf-8 utf8 iso-8859-1 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8
    iso-8859-9 iso-8859-10 iso-8859-11 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 latin1 windows-1250 windows-1251
    windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 cp1250 cp1251 cp1252
    koi8-r koi8-u shift_jis euc-jp euc-kr iso-2022-jp iso-2022-kr gb2312 gbk gb18030 big5
    """.split()  # noqa: SIM905 - forty names in quotes are no easier to read
)
"""Character sets that words may be in. Python has more codecs, and some make of bytes what is no text: unicode-escape
and utf-7 give surrogates, which no UTF-8 can hold. UTF-16 is not for mail headers (RFC 2781 section 4)."""

_WORD = re.compile(r"=\?([A-Za-z0-9!#$%&'+^_`{}~-]+)(?:\*[A-Za-z0-9-]*)?\?([bBqQ])\?([!->@-~]*)\?=")
_QUOTED = re.compile(r"(?:[^=]|=[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class _Word:
    """One encoded word: where it stands in the text, and its bytes."""

    start: int
    end: int
    charset: str
    content: bytes


def decode_words(text: str) -> str:
    """A header's text with its encoded words decoded; what is not one, or cannot be read, stays as it is.

    White space between two words that are decoded belongs to neither (RFC 2047 section 6.2).
    """
    if "=?" not in text:
        return text
    parts: list[str] = []
    end, is_behind_word = 0, False
    for start, word_end, decoded in chain.from_iterable(map(_decoded, _runs(text))):
        between = text[end:start]
        if not (is_behind_word and between.isspace()):
            parts.append(between)
        parts.append(decoded)
        end, is_behind_word = word_end, True
    return "".join([*parts, text[end:]])


def _runs(text: str) -> Iterator[Sequence[_Word]]:
    """Words of one character set that follow each other with nothing but white space between."""
    run: list[_Word] = []
    for word in _words(text):
        if run and (word.charset != run[-1].charset or text[run[-1].end : word.start].strip()):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _words(text: str) -> Iterator[_Word]:
    for found in _WORD.finditer(text):
        charset = found[1].lower()
        content = _content(found[2], found[3]) if charset in CHARSETS else None
        if content is not None:
            yield _Word(found.start(), found.end(), charset, content)


def _content(encoding: str, text: str) -> bytes | None:
    if encoding in "qQ":
        return quopri.decodestring(text.encode(), header=True) if _QUOTED.fullmatch(text) else None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def _decoded(run: Sequence[_Word]) -> Iterator[tuple[int, int, str]]:
    """What can be read of a run: start, end and text of each part."""
    # Some clients cut a character in two: bytes of neighbours belong together.
    whole = _text(b"".join(word.content for word in run), run[0].charset)
    if whole is not None:
        yield run[0].start, run[-1].end, whole
        return
    for word in run:
        text = _text(word.content, word.charset)
        if text is not None:
            yield word.start, word.end, text


def _text(content: bytes, charset: str) -> str | None:
    try:
        return content.decode(charset)
    except UnicodeError:
        return None
