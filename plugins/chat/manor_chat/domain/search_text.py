"""What a text is found by: tokens that the index cuts out of it, and a query in the index's own language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from manor_chat.domain.search_query import Query, Term

# Scripts without blanks between words: each character is a token, so that any part is found as a phrase.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u303f\u3040-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"[^\W_]+")


def indexed_text(message: str) -> str:
    """A message as it is given to the index: folded by width, with blanks around characters that are words."""
    return _UNSPACED.sub(r" \g<0> ", unicodedata.normalize("NFKC", message))


def channel_label(chat_id: str) -> str:
    """The token of all posts of a channel."""
    return f"c{chat_id}"


def user_label(chat_id: str) -> str:
    """The token of all posts of a person."""
    return f"u{chat_id}"


def tag_labels(hashtags: str) -> str:
    """The tokens of a post's hashtags."""
    return " ".join(_tag(tag) for tag in hashtags.split())


def _tag(tag: str) -> str:
    return "h" + "x".join(_WORD.findall(indexed_text(tag).casefold().replace(" ", "")))


def match_expression(
    query: Query, *, is_or: bool, channels: Sequence[str], senders: Sequence[str], not_senders: Sequence[str]
) -> str:
    """The query in the language of FTS5: words are quoted, so that nothing that anybody types is its syntax.

    Args:
        query: What is looked for.
        is_or: Whether one of the terms is enough.
        channels: Labels of the channels that are searched; none for all, which the caller filters then.
        senders: Labels of who wrote it; none for anybody.
        not_senders: Labels of who did not.
    """
    wanted = [said for term in query.terms if (said := _said(term))]
    parts = [f"({(' OR ' if is_or else ' AND ').join(wanted)})"] if wanted else []
    parts += [f"labels : ({_any(labels)})" for labels in (channels, senders) if labels]
    expression = " AND ".join(parts)
    unwanted = [said for term in query.without if (said := _said(term))]
    if not_senders:
        unwanted.append(f"labels : ({_any(not_senders)})")
    if expression and unwanted:
        expression = f"({expression}) NOT ({' OR '.join(unwanted)})"
    return expression


def _any(labels: Iterable[str]) -> str:
    return " OR ".join(f'"{label}"' for label in labels)


def _said(term: Term) -> str:
    if term.is_tag:
        label = _tag(term.text)
        return f'labels : "{label}"{"*" if term.is_prefix else ""}' if len(label) > 1 else ""
    words = _WORD.findall(indexed_text(term.text))
    if not words:
        return ""
    return f'text : "{" ".join(words)}"{" *" if term.is_prefix else ""}'


def matched_words(query: Query, message: str) -> list[str]:
    """The words of the query as they stand in a message, for clients that mark them."""
    found: dict[str, None] = {}
    for term in query.terms:
        words = _WORD.findall(term.text)
        if not words:
            continue
        pattern = r"[\W_]+".join(re.escape(word) for word in words)
        starts = r"(?<!\w)" if not _UNSPACED.match(words[0]) else ""
        ends = r"\w*" if term.is_prefix else "" if _UNSPACED.match(words[-1]) else r"(?!\w)"
        for match in re.finditer(f"{starts}{pattern}{ends}", message, re.IGNORECASE):
            found[match[0]] = None
    return list(found)
