"""Searching posts and files, in one team or in all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.domain.search_query import read_query
from manor_chat.domain.search_text import matched_words
from manor_chat.http.answers import answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import MOST_PER_PAGE, PER_PAGE, id_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.posts.showing import post_list, show_posts
from manor_chat.rights import Rights
from manor_chat.search.files import find_files_of
from manor_chat.search.finding import find_posts_of, find_scope
from manor_chat.search.keeping import IndexKeeper
from manor_chat.store.posts import find_posts
from manor_chat.wire.posts import show_file

_LARGEST_OFFSET = 14 * 3600
_DEEPEST = 10_000


class SearchBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; see `read_query` for `terms`."""

    terms: str = ""
    is_or_search: bool = False
    time_zone_offset: int = 0
    include_deleted_channels: bool = False
    page: int = 0
    per_page: int = PER_PAGE

    @property
    def limit(self) -> int:
        """How many; none behind the deepest, so that who reads page after page comes to an end."""
        return 0 if self._begin > _DEEPEST else self._length

    @property
    def offset(self) -> int:
        """Behind how many."""
        return min(self._begin, _DEEPEST)

    @property
    def _begin(self) -> int:
        return max(self.page, 0) * self._length

    @property
    def _length(self) -> int:
        return min(self.per_page, MOST_PER_PAGE) if self.per_page > 0 else PER_PAGE

    @property
    def zone(self) -> int:
        """Seconds that the asker is ahead of UTC."""
        return max(-_LARGEST_OFFSET, min(self.time_zone_offset, _LARGEST_OFFSET))


class SearchHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, keeper: IndexKeeper) -> None:
        self._shared = shared
        self._keeper = keeper

    async def posts(self, request: Request[SearchBody]) -> Reply:
        """Posts of the asker's channels, the newest first."""
        body = request.body
        query = read_query(_terms(body, "api.post.search_posts.invalid_body.app_error"), body.zone)
        team_id = id_param(request, "team_id") if "team_id" in request.params else None
        await self._keeper.be_current()

        def work(transaction: Transaction, rights: Rights) -> Any:
            _may_search(rights, team_id)
            scope = find_scope(transaction, rights.user_id, team_id, query, with_archived=body.include_deleted_channels)
            ids = find_posts_of(
                transaction, scope, query, is_or=body.is_or_search, offset=body.offset, limit=body.limit
            )
            found = find_posts(transaction, ids)
            posts = [found[each] for each in ids if each in found and not found[each].delete_at]
            matches = {shown_id(post.id): matched_words(query, post.message) for post in posts}
            return post_list(show_posts(transaction, posts, rights.user_id)), matches

        shown, matches = await self._shared.read(request, work)
        return answer(msgspec.to_builtins(shown) | {"matches": matches})

    async def files(self, request: Request[SearchBody]) -> Reply:
        """Files of the asker's channels, by name, the newest first."""
        body = request.body
        query = read_query(_terms(body, "api.post.search_files.invalid_body.app_error"), body.zone)
        team_id = id_param(request, "team_id") if "team_id" in request.params else None

        def work(transaction: Transaction, rights: Rights) -> Any:
            _may_search(rights, team_id)
            scope = find_scope(transaction, rights.user_id, team_id, query, with_archived=body.include_deleted_channels)
            rows = find_files_of(
                transaction, scope, query, is_or=body.is_or_search, offset=body.offset, limit=body.limit
            )
            return [show_file(row) for row in rows]

        infos = await self._shared.read(request, work)
        return answer(
            {
                "order": [info.id for info in infos],
                "file_infos": {info.id: info for info in infos},
                "next_file_info_id": "",
                "prev_file_info_id": "",
                "first_inaccessible_file_time": 0,
            }
        )


def _terms(body: SearchBody, code: str) -> str:
    if not body.terms.strip():
        raise faults.bad_value(code, "There are no terms to search for.")
    return body.terms


def _may_search(rights: Rights, team_id: UUID | None) -> None:
    if team_id is not None:
        rights.team(team_id)
        rights.require_in_team("view_team", team_id)


def search_routes(shared: Shared, keeper: IndexKeeper) -> list[Route]:
    """All of them."""
    handlers = SearchHandlers(shared, keeper)

    def route(line: str, handler: Any, tag: str) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag=tag, body=SearchBody)

    return [
        route("POST /posts/search", handlers.posts, "posts"),
        route("POST /teams/{team_id}/posts/search", handlers.posts, "posts"),
        route("POST /files/search", handlers.files, "files"),
        route("POST /teams/{team_id}/files/search", handlers.files, "files"),
    ]
