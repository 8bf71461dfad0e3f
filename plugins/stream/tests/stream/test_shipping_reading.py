"""Whether browsers can read what is in the bucket: said to the admin, who sees no failed upload."""

from __future__ import annotations

import pytest

from tests.stream_broadcast import until
from tests.stream_shipping import FOR_ALL_PAGES, Studio

OURS = "https://tv.example.org"
PLAYLIST = "/stream.m3u8 HTTP"


@pytest.fixture
def studio(studio: Studio) -> Studio:
    """One in which nobody answers in the server's place."""
    studio.gate.holds.clear()
    return studio


def answer_with(studio: Studio, *headers: str) -> None:
    """What browsers are answered from now on."""
    studio.gate.holds.clear()
    lines = ["HTTP/1.1 200 OK", *headers, "Content-Length: 0", "", ""]
    studio.gate.answer("GET", PLAYLIST, "\r\n".join(lines).encode())


async def ship(studio: Studio) -> None:
    await studio.set_s3()
    await studio.shipped(studio.broadcast())
    await until(lambda: looks(studio))


def looks(studio: Studio) -> list[str]:
    return [line for line in studio.gate.asked if line.startswith("GET ") and line.endswith("/hls/0/stream.m3u8")]


async def page(studio: Studio) -> str:
    return (await studio.admin.get("/admin/storage")).text


async def test_a_bucket_that_nobody_may_read_is_told_of_until_everybody_may(studio: Studio) -> None:
    await ship(studio)
    await until(lambda: studio.warnings)
    assert len(studio.warnings) == 1
    assert f"{studio.bucket}/hls/0/stream.m3u8 answers 403 without a signature" in studio.warnings[0]
    assert "answers 403 without a signature" in await page(studio)
    assert studio.is_sent_away()

    studio.gate.answer("GET", PLAYLIST, FOR_ALL_PAGES)
    await until(lambda: studio.shared.shipping.unreadable is None)
    assert (studio.lines[0].level, studio.lines[0].message) == ("info", "Browsers can read what is in S3 now")
    assert "answers 403" not in await page(studio)


@pytest.mark.parametrize(
    ("headers", "is_readable"),
    [
        ((), False),
        (("Access-Control-Allow-Origin: https://elsewhere.example.org",), False),
        ((f"Access-Control-Allow-Origin: {OURS}", "Vary: Origin"), True),
        (("Access-Control-Allow-Origin: *",), True),
    ],
)
async def test_this_servers_own_pages_have_to_be_let_read(
    studio: Studio, headers: tuple[str, ...], is_readable: bool
) -> None:
    await studio.shared.settings.change(server_url=f"{OURS}/")
    answer_with(studio, *headers)
    await ship(studio)
    await until(lambda: is_readable or studio.warnings)
    await studio.caught_up()

    assert f"origin: {OURS}" in studio.gate.heads[looks(studio)[0]].splitlines()
    assert [f"pages of {OURS} read" in warning for warning in studio.warnings] == ([] if is_readable else [True])
    assert ("does not let pages of" in await page(studio)) is not is_readable


async def test_where_nobody_said_what_the_server_is_called_it_says_so(studio: Studio) -> None:
    answer_with(studio)
    await ship(studio)
    await until(lambda: studio.warnings)

    assert "does not let pages of every site read" in studio.warnings[0]
    assert "public_url" in studio.warnings[0]


async def test_all_is_well_with_one_look(studio: Studio) -> None:
    studio.gate.answer("GET", PLAYLIST, FOR_ALL_PAGES)
    await ship(studio)
    await studio.shipped(studio.broadcast(), 3)

    assert (len(looks(studio)), studio.warnings) == (1, [])


async def test_a_bucket_that_does_not_answer_readers_is_told_of(studio: Studio) -> None:
    studio.gate.answer("GET", PLAYLIST, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    await ship(studio)
    await until(lambda: studio.warnings)

    assert studio.warnings[0].startswith("Whether browsers can read what is in S3 is not known: 127.0.0.1: ")


async def test_an_address_that_viewers_alone_may_reach_is_not_asked(studio: Studio) -> None:
    await studio.set_s3(servingEndpoint="http://10.1.2.3")
    await studio.shipped(studio.broadcast(), 2)

    assert (looks(studio), studio.warnings, studio.shared.shipping.unreadable) == ([], [], None)
