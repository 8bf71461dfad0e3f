"""A request's headers: by name in any case, once or as often as they were sent."""

from __future__ import annotations

from manor.routing import Headers

HEADERS = Headers([(b"x-tags", b"a"), (b"host", b"h"), (b"x-tags", b"b"), (b"x-title", b"caf\xe9")])


def test_the_first_of_a_name_wins() -> None:
    assert (HEADERS.get("X-Tags"), HEADERS.get("x-title"), HEADERS.get("x-none")) == ("a", "café", None)


def test_all_of_a_name_come_in_their_order() -> None:
    assert (HEADERS.get_all("X-Tags"), HEADERS.get_all("host"), HEADERS.get_all("x-none")) == (["a", "b"], ["h"], [])
