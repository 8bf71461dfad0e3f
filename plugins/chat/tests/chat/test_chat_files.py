"""Files: uploading them whole, having them, and who may."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from manor.testing import Client
from tests.chat_files import BOUNDARY, FORM, channel_of, form, kept, picture, posted, upload, uploaded
from tests.chat_people import API, Crew

FILE_KEYS = {
    "id", "user_id", "post_id", "channel_id", "create_at", "update_at", "delete_at", "name", "extension", "size",
    "mime_type", "width", "height", "has_preview_image", "mini_preview", "remote_id", "archived",
}  # fmt: skip
UNKNOWN = "y" * 26


def code(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json()["id"]


# --- Uploading -----------------------------------------------------------------------------------------------------


async def test_a_form_with_several_files_gives_each_an_id(crew: Crew) -> None:
    body = form(
        ("channel_id", channel_of(crew)),
        ("client_ids", "one"),
        ("client_ids", "two"),
        ("files", "a.txt", b"hello"),
        ("anything", "b.txt", b"you"),
    )

    answer = await crew.ann.client.post(f"{API}/files", body=body, headers=FORM)

    assert answer.status == 201, answer.text
    shown = answer.json()
    assert shown["client_ids"] == ["one", "two"]
    first, second = shown["file_infos"]
    assert set(first) == FILE_KEYS
    assert (first["name"], first["size"], first["extension"]) == ("a.txt", 5, "txt")
    assert first["mime_type"] == "text/plain"
    assert (first["user_id"], first["channel_id"], first["post_id"]) == (crew.ann.chat_id, channel_of(crew), "")
    got = [await crew.ann.client.get(f"{API}/files/{each['id']}") for each in (first, second)]
    assert [each.body for each in got] == [b"hello", b"you"]


async def test_the_channel_may_stand_behind_the_files_or_in_the_query(crew: Crew) -> None:
    behind = form(("files", "a.txt", b"hello"), ("channel_id", channel_of(crew)))
    without = form(("files", "a.txt", b"hello"))

    first = await crew.ann.client.post(f"{API}/files", body=behind, headers=FORM)
    query = {"channel_id": channel_of(crew)}
    second = await crew.ann.client.post(f"{API}/files", body=without, headers=FORM, query=query)

    assert (first.status, second.status) == (201, 201)


async def test_a_body_without_a_form_is_the_file(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a b.bin", bytes(range(256)))

    assert (shown["name"], shown["size"], shown["mime_type"]) == ("a b.bin", 256, "application/octet-stream")


async def test_an_empty_file_is_one(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "empty", b"")

    assert shown["size"] == 0
    assert (await crew.ann.client.get(f"{API}/files/{shown['id']}")).body == b""


async def test_names_have_no_paths_and_nothing_hidden(crew: Crew) -> None:
    for name, kept_as in (
        ("../../etc/passwd", "passwd"),
        ("C:\\secret\\plan.txt", "plan.txt"),
        ("line\nbreak\x00.txt", "linebreak.txt"),
        ("gpj\u202eexe.jpg", "gpjexe.jpg"),
        ("..", "file"),
        ("/", "file"),
        ("x" * 300 + ".tar.gz", "x" * 253 + ".gz"),
        ("grüße 😀.txt", "grüße 😀.txt"),
    ):
        assert (await uploaded(crew, crew.ann, name, b"x"))["name"] == kept_as


async def test_the_content_says_what_a_file_is(crew: Crew) -> None:
    for name, content, kind in (
        ("page.png", b"<!DOCTYPE html><script>alert(1)</script>", "text/html"),
        ("note.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        ("note.txt", b"\x7fELF\x02\x01\x01" + bytes(60), "application/octet-stream"),
        ("table.csv", b"a,b\n1,2\n", "text/csv"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ("script.html", bytes([0, 1, 2, 3]), "application/octet-stream"),
        ("letter.odt", b"PK\x03\x04" + bytes(40), "application/vnd.oasis.opendocument.text"),
        ("cut.txt", ("é" * 5000).encode()[:8191], "text/plain"),
    ):
        body = form(("channel_id", channel_of(crew)), ("files", name, content))
        lie = body.replace(b'"\r\n\r\n' + content, b'"\r\nContent-Type: image/png\r\n\r\n' + content)
        assert lie != body

        answer = await crew.ann.client.post(f"{API}/files", body=lie, headers=FORM)

        assert answer.json()["file_infos"][0]["mime_type"] == kind, name


async def test_a_bad_upload_is_refused_and_leaves_nothing(crew: Crew) -> None:
    unreadable = (400, "api.file.upload_file.read_request.app_error")
    too_few = form(("client_ids", "1"), ("client_ids", "2"), ("files", "a.txt", b"x"))
    query = {"channel_id": channel_of(crew)}
    for body, headers, refusal in (
        (b"no form", FORM, unreadable),
        (b"", {"Content-Type": "multipart/form-data"}, unreadable),
        (form(("files", "a.txt", b"x"))[:-20], FORM, unreadable),
        (form(("client_ids", "one")), FORM, unreadable),
        (form(*[("f", "a", b"")] * 11), FORM, (400, "api.file.upload_file.too_many_files.app_error")),
        (form(*[("f", "x")] * 101), FORM, unreadable),
        (form(("f", "x" * 70_000)), FORM, unreadable),
        (too_few, FORM, (400, "api.file.upload_file.incorrect_number_of_client_ids.app_error")),
        (f"--{BOUNDARY}\r\nX: {'x' * 9000}\r\n\r\n".encode(), FORM, unreadable),
        (b"x", {}, (400, "api.context.invalid_url_param.app_error")),
    ):
        answer = await crew.ann.client.post(f"{API}/files", body=body, headers=headers, query=query)
        assert code(answer) == refusal, body[:100]
    assert await kept(crew) == []


async def test_a_file_goes_to_a_channel_that_is_there(crew: Crew) -> None:
    malformed, missing = "api.context.invalid_body_param.app_error", "app.channel.get.existing.app_error"
    for channel, refusal in (("", (400, malformed)), ("nonsense", (400, malformed)), (UNKNOWN, (404, missing))):
        assert code(await crew.ann.client.post(f"{API}/files?filename=a&channel_id={channel}", body=b"x")) == refusal
        in_form = form(("files", "a", b"x"), ("channel_id", channel))
        assert code(await crew.ann.client.post(f"{API}/files", body=in_form, headers=FORM)) == refusal
    assert await kept(crew) == []


async def test_nobody_uploads_to_a_channel_that_they_are_not_in(crew: Crew) -> None:
    assert code(await upload(crew, crew.eve, "a.txt", b"x")) == (403, "api.context.permissions.app_error")
    behind = form(("files", "a", b"x"), ("channel_id", channel_of(crew)))
    assert (await crew.eve.client.post(f"{API}/files", body=behind, headers=FORM)).status == 403
    assert await kept(crew) == []


@pytest.mark.manor(config={"plugins": {"chat": {"max_file_bytes": 5000}}})
async def test_a_file_has_no_more_bytes_than_are_allowed(crew: Crew) -> None:
    too_large = (413, "api.file.upload_file.too_large_detailed.app_error")

    async def unannounced() -> AsyncGenerator[bytes, None]:
        for _ in range(3):
            yield bytes(2000)

    assert (await upload(crew, crew.ann, "a", bytes(5000))).status == 201
    assert code(await upload(crew, crew.ann, "a", bytes(5001))) == too_large
    assert code(await upload(crew, crew.ann, "a", bytes(1_000_000))) == too_large
    query = {"channel_id": channel_of(crew), "filename": "a"}
    async with aclosing(unannounced()) as pieces:
        assert code(await crew.ann.client.post(f"{API}/files", body=pieces, query=query)) == too_large
    in_form = form(("channel_id", channel_of(crew)), ("f", "a", bytes(10)), ("f", "b", bytes(5001)))
    assert code(await crew.ann.client.post(f"{API}/files", body=in_form, headers=FORM)) == too_large
    assert len(await kept(crew)) == 1


@pytest.mark.manor(config={"plugins": {"chat": {"file_attachments": False}}})
async def test_files_can_be_switched_off(crew: Crew) -> None:
    assert code(await upload(crew, crew.ann, "a", b"x")) == (501, "api.file.attachments.disabled.app_error")


# --- Who may have them ---------------------------------------------------------------------------------------------

READS = ("", "/info", "/thumbnail", "/preview")


async def test_a_file_is_its_uploaders_until_a_post_has_it(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.png", picture())
    paths = [f"{API}/files/{shown['id']}{what}" for what in READS]

    for path in paths:
        assert (await crew.ann.client.get(path)).status == 200
        assert code(await crew.bob.client.get(path)) == (403, "api.context.permissions.app_error")
    await posted(crew, crew.ann, shown["id"])
    for path in paths:
        assert (await crew.bob.client.get(path)).status == 200
        assert (await crew.eve.client.get(path)).status == 403
        assert (await crew.ada.client.get(path)).status == 200
        assert (await Client(crew.house.dispatcher).get(path)).status == 401


@pytest.mark.manor(config={"plugins": {"chat": {"public_links": True}}})
async def test_what_is_no_file_is_not_found(crew: Crew) -> None:
    for what in (*READS, "/link"):
        missing = (404, "app.file_info.get.app_error")
        assert code(await crew.ann.client.get(f"{API}/files/{UNKNOWN}{what}")) == missing
        bad = (400, "api.context.invalid_url_param.app_error")
        assert code(await crew.ann.client.get(f"{API}/files/nonsense{what}")) == bad


async def test_a_file_goes_with_its_post(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.txt", b"hello")
    post = await posted(crew, crew.ann, shown["id"])
    assert post["metadata"]["files"][0]["id"] == shown["id"]

    assert (await crew.ann.client.delete(f"{API}/posts/{post['id']}")).status == 200

    assert (await crew.ann.client.get(f"{API}/files/{shown['id']}")).status == 404


# --- Having them ---------------------------------------------------------------------------------------------------


async def test_a_browser_shows_what_is_harmless_and_runs_nothing(crew: Crew) -> None:
    for name, content, manner, kind in (
        ("a.png", picture(), "inline", "image/png"),
        ("a.txt", b"hello", "inline", "text/plain; charset=utf-8"),
        ("a.html", b"<script>alert(1)</script>", "attachment", "text/plain; charset=utf-8"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "attachment", "text/plain; charset=utf-8"),
        ("a.pdf", b"%PDF-1.4 \xff", "attachment", "application/pdf"),
        ("a.bin", bytes(9), "attachment", "application/octet-stream"),
    ):
        shown = await uploaded(crew, crew.ann, name, content)

        answer = await crew.ann.client.get(f"{API}/files/{shown['id']}")

        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f"{manner}; filename=\"{name}\"; filename*=UTF-8''{name}"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "max-age=86400, private"


async def test_a_download_is_for_saving_and_has_its_name(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, 'grüße "1".png', picture())

    answer = await crew.ann.client.get(f"{API}/files/{shown['id']}?download=1")

    said = answer.headers["content-disposition"]
    assert said == "attachment; filename=\"gr__e _1_.png\"; filename*=UTF-8''gr%C3%BC%C3%9Fe%20%221%22.png"


@pytest.mark.parametrize("size", [10, 700_000])
async def test_a_part_of_a_file_can_be_had(crew: Crew, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    shown = await uploaded(crew, crew.ann, "a.bin", content)
    path = f"{API}/files/{shown['id']}"

    async def part(asked: str, **more: str) -> Any:
        return await crew.ann.client.get(path, headers={"Range": asked, **more})

    whole = await crew.ann.client.get(path)
    assert (whole.status, whole.body, whole.headers["accept-ranges"]) == (200, content, "bytes")
    for asked, start, stop in (("bytes=2-5", 2, 6), ("bytes=7-", 7, size), ("bytes=-3", size - 3, size)):
        answer = await part(asked)
        assert (answer.status, answer.body) == (206, content[start:stop])
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    assert (await part(f"bytes=5-{size * 2}")).body == content[5:]
    for odd in ("bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=a-b"):
        assert (await part(odd)).status == 200
    for outside in (f"bytes={size}-", "bytes=-0"):
        answer = await part(outside)
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
    assert (await part("bytes=2-5", **{"If-Range": '"another"'})).status == 200
    assert (await part("bytes=2-5", **{"If-Range": whole.headers["etag"]})).status == 206


async def test_who_has_a_file_is_told_so(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.png", picture())
    for what in ("", "/thumbnail", "/preview", "/info"):
        path = f"{API}/files/{shown['id']}{what}"
        tag = (await crew.ann.client.get(path)).headers["etag"]
        known = await crew.ann.client.get(path, headers={"If-None-Match": f'"x", {tag}'})
        assert (known.status, known.body) == (304, b"")


@pytest.mark.parametrize("size", [10, 700_000])
async def test_head_says_how_long_a_file_is(crew: Crew, size: int) -> None:
    shown = await uploaded(crew, crew.ann, "a.bin", bytes(size))

    answer = await crew.ann.client.request("HEAD", f"{API}/files/{shown['id']}")

    assert (answer.status, answer.body) == (200, b"")
    if size > 10:
        assert answer.headers["content-length"] == str(size)


async def test_what_the_store_has_lost_is_not_found(crew: Crew) -> None:
    small = await uploaded(crew, crew.ann, "a.bin", b"x")
    large = await uploaded(crew, crew.ann, "b.bin", bytes(700_000))
    await crew.house.services.blobs.for_plugin("chat").delete_many(await kept(crew))

    for shown in (small, large):
        answer = await crew.ann.client.get(f"{API}/files/{shown['id']}")
        assert code(answer) == (404, "app.file_info.get.app_error")


# --- Links that need no sign-in ------------------------------------------------------------------------------------


async def test_links_for_everybody_are_off_until_they_are_switched_on(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.txt", b"hello")
    off = (501, "api.file.get_public_link.disabled.app_error")

    assert code(await crew.ann.client.get(f"{API}/files/{shown['id']}/link")) == off
    assert code(await crew.ann.client.get(f"/files/{shown['id']}/public?h=x")) == off
    assert code(await crew.ann.client.get(f"{API}/files/{shown['id']}/public?h=x")) == off


@pytest.mark.manor(config={"plugins": {"chat": {"public_links": True}}, "server": {"public_url": "https://x.test"}})
async def test_whoever_has_a_files_link_has_the_file(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.txt", b"hello")
    path = f"{API}/files/{shown['id']}"
    assert code(await crew.ann.client.get(f"{path}/link")) == (400, "api.file.get_public_link.no_post.app_error")
    post = await posted(crew, crew.ann, shown["id"])

    link = (await crew.bob.client.get(f"{path}/link")).json()["link"]

    assert link.startswith(f"https://x.test/files/{shown['id']}/public?h=")
    assert (await crew.eve.client.get(f"{path}/link")).status == 403
    local, mark = link.removeprefix("https://x.test"), link.partition("?")[2]
    anybody = Client(crew.house.dispatcher)
    assert (await anybody.get(local)).body == b"hello"
    assert (await anybody.get(f"{path}/public?{mark}")).body == b"hello"
    invalid = (400, "api.file.get_file.public_invalid.app_error")
    for wrong in ("", "?h=", "?h=x", f"?{mark}x", "?h=%C3%BC"):
        assert code(await anybody.get(f"{path}/public{wrong}")) == invalid
    assert code(await anybody.get(f"/files/{UNKNOWN}/public?{mark}")) == invalid
    await crew.ann.client.delete(f"{API}/posts/{post['id']}")
    assert code(await anybody.get(local)) == (404, "app.file_info.get.app_error")


# --- Bookmarks -----------------------------------------------------------------------------------------------------


async def test_a_channel_has_no_bookmarks_for_those_who_may_read_it(crew: Crew) -> None:
    path = f"{API}/channels/{channel_of(crew)}/bookmarks"

    assert (await crew.bob.client.get(f"{path}?bookmarks_since=5")).json() == []
    assert (await crew.eve.client.get(path)).status == 403
    assert (await crew.bob.client.get(f"{API}/channels/{UNKNOWN}/bookmarks")).status == 404
