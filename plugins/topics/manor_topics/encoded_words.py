"""Text in headers that take only ASCII: encoded words (RFC 2047), read leniently, as clients write them."""

from __future__ import annotations

import base64
import binascii
import quopri
import re

_WORD = re.compile(r"=\?([A-Za-z0-9!#$%&'+^_`{}~-]+)(?:\*[A-Za-z0-9-]*)?\?([bBqQ])\?([!->@-~]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t\r\n]+(?==\?)")


def decode_words(text: str) -> str:
    """A header's text with its encoded words decoded; what is not one, or of an unknown kind, stays as it is."""
    if "=?" not in text:
        return text
    text = _BETWEEN_WORDS.sub(r"\1", text)
    parts: list[str] = []
    end = 0
    charset, pending = "", b""
    for word in _WORD.finditer(text):
        content = _word_bytes(word[2], word[3])
        if content is None or not _is_charset(word[1]):
            continue
        between = text[end : word.start()]
        # Some clients cut a character in two: bytes of neighbours with one character set belong together.
        if between or word[1].lower() != charset:
            parts += [_decoded(pending, charset), between]
            charset, pending = word[1].lower(), b""
        pending += content
        end = word.end()
    return "".join([*parts, _decoded(pending, charset), text[end:]])


def _word_bytes(encoding: str, content: str) -> bytes | None:
    if encoding in "qQ":
        return quopri.decodestring(content.encode(), header=True)
    try:
        return base64.b64decode(content + "=" * (-len(content) % 4), validate=True)
    except binascii.Error:
        return None


def _is_charset(name: str) -> bool:
    try:
        b"x".decode(name)
    except LookupError:
        return False
    except UnicodeError:
        pass  # one letter is not enough for it (UTF-16)
    return True


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset or "ascii", "replace")
    except UnicodeError:
        # Some of Python's codecs (idna) know no replacement character.
        return content.decode("utf-8", "replace")
