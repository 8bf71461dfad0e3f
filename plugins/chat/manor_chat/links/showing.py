"""What posts show of the links in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from manor import Transaction
from manor_chat.domain.attachments import attachments_in
from manor_chat.domain.image_links import image_links
from manor_chat.domain.links import first_link
from manor_chat.store.links import Said, find_said
from manor_chat.store.posts import Post

Shown = tuple[list[dict[str, Any]], dict[str, Any]]
"""A post's embeds, and the sizes of its pictures by their addresses."""

_NOTHING: Shown = ([], {})


def links_in(transaction: Transaction, posts: Sequence[Post]) -> dict[UUID, Shown]:
    """What is known of the links of posts; one query, and none where there are no links."""
    first = {post.id: first_link(post.message) for post in posts}
    images = {post.id: image_links(post.message) for post in posts}
    wanted = {url for url in first.values() if url} | {url for some in images.values() for url in some}
    known = find_said(transaction, wanted) if wanted else {}
    return {post.id: _shown(post, first[post.id], images[post.id], known) for post in posts}


def _shown(post: Post, link: str | None, images: Sequence[str], known: Mapping[str, Said]) -> Shown:
    if link is None and not images and not attachments_in(post.props):
        return _NOTHING
    sizes = {url: known[url].said for url in images if url in known and known[url].kind == "image"}
    if attachments_in(post.props):
        return [{"type": "message_attachment"}], sizes
    if link is None:
        return [], sizes
    said = known.get(link)
    if said is None or said.kind == "none":
        return [{"type": "link", "url": link}], sizes
    if said.kind == "image":
        return [{"type": "image", "url": link}], {**sizes, link: said.said}
    for image in said.said.get("images", ()):
        if image["width"] and image["height"]:
            size = {"width": image["width"], "height": image["height"], "format": "", "frame_count": 0}
            sizes[image["url"]] = size
    return [{"type": "opengraph", "url": link, "data": said.said}], sizes
