"""Uploads in several requests, and files that are removed when nobody needs them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio
from sqlalchemy import insert, select
from trio.testing import MockClock

from manor import BrokenOff, Transaction, new_id
from manor.testing import Answer, SetClock
from manor_chat.files.removing import BATCH
from manor_chat.ids import shown_id
from manor_chat.store.files import add_files, list_files_of
from manor_chat.tables.drafts import drafts
from manor_chat.tables.posts import files
from manor_chat.tables.uploads import uploads
from manor_chat.wire.posts import FileInfo
from tests.chat_files import FORM, bomb, channel_of, form, kept, picture, posted, uploaded
from tests.chat_people import API, Chatter, Crew

SESSION_KEYS = {"id", "type", "create_at", "user_id", "channel_id", "filename", "file_size", "file_offset"}
UNKNOWN = "y" * 26
SWEEP = 700
"""Seconds within which the background task has looked."""


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["id"]


async def begun(crew: Crew, size: int, name: str = "a.bin", who: Chatter | None = None) -> str:
    body = {"channel_id": channel_of(crew), "filename": name, "file_size": size}
    answer = await (who or crew.ann).client.post(f"{API}/uploads", json=body)
    assert answer.status == 201, answer.text
    assert set(answer.json()) == SESSION_KEYS
    upload_id: str = answer.json()["id"]
    return upload_id


async def sent(crew: Crew, upload_id: str, body: Any, **more: Any) -> Answer:
    return await crew.ann.client.post(f"{API}/uploads/{upload_id}", body=body, **more)


async def offset(crew: Crew, upload_id: str) -> int:
    answer = await crew.ann.client.get(f"{API}/uploads/{upload_id}")
    assert answer.status == 200, answer.text
    value: int = answer.json()["file_offset"]
    return value


# --- Part by part --------------------------------------------------------------------------------------------------


async def test_a_file_comes_in_parts_raw_or_as_forms(crew: Crew, autojump_clock: MockClock) -> None:
    upload_id = await begun(crew, 11, "greeting.txt")

    first = await sent(crew, upload_id, b"hello")
    assert (first.status, first.body, await offset(crew, upload_id)) == (204, b"", 5)
    second = await sent(crew, upload_id, form(("data", "blob", b" you")), headers=FORM)
    assert (second.status, await offset(crew, upload_id)) == (204, 9)
    assert (await sent(crew, upload_id, b"")).status == 204
    third = await sent(crew, upload_id, b"!!")

    assert third.status == 201
    info = third.json()
    assert (info["name"], info["size"], info["mime_type"], info["post_id"]) == ("greeting.txt", 11, "text/plain", "")
    assert (await crew.ann.client.get(f"{API}/files/{info['id']}")).body == b"hello you!!"
    assert code(await crew.ann.client.get(f"{API}/uploads/{upload_id}")) == (404, "app.upload.get.app_error")
    post = await posted(crew, crew.ann, info["id"])
    assert post["metadata"]["files"][0]["name"] == "greeting.txt"
    await trio.sleep(SWEEP)
    assert [key.partition("/")[0] for key in await kept(crew)] == ["files"]


async def test_a_picture_in_parts_gets_its_preview(crew: Crew) -> None:
    content = picture((64, 32))
    upload_id = await begun(crew, len(content), "a.png")
    await sent(crew, upload_id, content[:50])

    info = (await sent(crew, upload_id, content[50:])).json()

    assert (info["width"], info["height"], info["has_preview_image"]) == (64, 32, True)


async def test_what_came_before_the_connection_broke_is_kept(crew: Crew) -> None:
    upload_id = await begun(crew, 10)

    async def breaking() -> AsyncGenerator[bytes, None]:
        yield b"half"
        raise BrokenOff

    async with aclosing(breaking()) as pieces:
        assert (await sent(crew, upload_id, pieces)).status == 400
    assert await offset(crew, upload_id) == 4
    assert (await sent(crew, upload_id, b" whole")).status == 201


async def test_one_part_comes_at_a_time(crew: Crew, nursery: trio.Nursery) -> None:
    upload_id = await begun(crew, 10)
    reading, may_go_on = trio.Event(), trio.Event()

    async def slow() -> AsyncGenerator[bytes, None]:
        reading.set()
        await may_go_on.wait()
        yield b"0123456789"

    answers: list[Answer] = []

    async def send_slowly() -> None:
        async with aclosing(slow()) as pieces:
            answers.append(await sent(crew, upload_id, pieces))

    async with trio.open_nursery() as sending:
        sending.start_soon(send_slowly)
        await reading.wait()
        concurrent = await sent(crew, upload_id, b"x")
        may_go_on.set()

    assert code(concurrent) == (400, "app.upload.upload_data.concurrent.app_error")
    assert [answer.status for answer in answers] == [201]


async def test_more_than_was_said_is_refused_and_not_kept(crew: Crew) -> None:
    upload_id = await begun(crew, 5)
    await sent(crew, upload_id, b"abc")

    refused = (400, "api.upload.upload_data.invalid_content_length")
    assert code(await sent(crew, upload_id, b"def")) == refused
    assert await offset(crew, upload_id) == 3
    assert (await sent(crew, upload_id, b"de")).status == 201


async def test_a_form_without_a_file_is_no_part(crew: Crew) -> None:
    upload_id = await begun(crew, 5)

    assert (await sent(crew, upload_id, form(("data", "abc")), headers=FORM)).status == 400
    assert (await sent(crew, upload_id, b"nonsense", headers=FORM)).status == 400
    assert await offset(crew, upload_id) == 0


async def test_an_upload_is_its_owners(crew: Crew) -> None:
    upload_id = await begun(crew, 5)
    path, forbidden = f"{API}/uploads/{upload_id}", (403, "api.upload.get_upload.forbidden.app_error")

    assert code(await crew.bob.client.get(path)) == forbidden
    assert code(await crew.bob.client.post(path, body=b"12345")) == forbidden
    missing = (404, "app.upload.get.app_error")
    assert code(await crew.ann.client.get(f"{API}/uploads/{UNKNOWN}")) == missing
    assert code(await crew.ann.client.post(f"{API}/uploads/{UNKNOWN}", body=b"x")) == missing
    assert code(await crew.ann.client.get(f"{API}/uploads/x")) == (400, "api.context.invalid_url_param.app_error")


async def test_a_bad_upload_is_not_begun(crew: Crew) -> None:
    malformed = (400, "api.context.invalid_body_param.app_error")
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"file_size": 0}, (400, "model.upload_session.is_valid.file_size.app_error")),
        ({"file_size": -5}, (400, "model.upload_session.is_valid.file_size.app_error")),
        ({"file_size": 2**40}, (413, "api.file.upload_file.too_large_detailed.app_error")),
        ({"file_size": "5"}, malformed),
        ({"filename": ""}, malformed),
        ({"type": "import"}, malformed),
        ({"channel_id": "x"}, malformed),
        ({"channel_id": UNKNOWN}, (404, "app.channel.get.existing.app_error")),
    ]
    for changed, refusal in cases:
        body = {"channel_id": channel_of(crew), "filename": "a", "file_size": 5, **changed}
        assert code(await crew.ann.client.post(f"{API}/uploads", json=body)) == refusal, changed


async def test_nobody_begins_an_upload_where_they_may_not_write(crew: Crew) -> None:
    body = {"channel_id": channel_of(crew), "filename": "a", "file_size": 5}

    assert (await crew.eve.client.post(f"{API}/uploads", json=body)).status == 403


async def test_a_bomb_in_parts_is_refused_and_forgotten(crew: Crew) -> None:
    content = bomb()
    upload_id = await begun(crew, len(content), "a.png")

    answer = await sent(crew, upload_id, content)

    assert code(answer) == (400, "api.file.upload_file.large_image_detailed.app_error")
    assert (await crew.ann.client.get(f"{API}/uploads/{upload_id}")).status == 404
    assert await kept(crew, "files/") == []


# --- What nobody needs any more ------------------------------------------------------------------------------------


async def count(crew: Crew, table: Any) -> int:
    def work(transaction: Transaction) -> int:
        return len(transaction.connection.execute(select(table.c.id)).all())

    return await crew.house.storage.read(work)


async def test_a_file_that_no_post_wants_goes_after_a_day(
    crew: Crew, clock: SetClock, autojump_clock: MockClock
) -> None:
    alone = await uploaded(crew, crew.ann, "alone.txt", b"x")
    in_post = await uploaded(crew, crew.ann, "posted.txt", b"x")
    in_draft = await uploaded(crew, crew.ann, "drafted.txt", b"x")
    await posted(crew, crew.ann, in_post["id"])
    draft = {"channel_id": channel_of(crew), "message": "soon", "file_ids": [in_draft["id"]]}
    assert (await crew.ann.client.post(f"{API}/drafts", json=draft)).status == 201

    clock.set(clock.now() + timedelta(hours=23))
    await trio.sleep(SWEEP)
    assert await count(crew, files) == 3
    clock.set(clock.now() + timedelta(hours=2))
    await trio.sleep(SWEEP)

    assert await count(crew, files) == 2
    assert len(await kept(crew)) == 2
    assert (await crew.ann.client.get(f"{API}/files/{alone['id']}")).status == 404
    assert (await crew.ann.client.get(f"{API}/files/{in_draft['id']}")).status == 200


async def test_many_files_in_drafts_hide_none_behind_them(
    crew: Crew, clock: SetClock, autojump_clock: MockClock
) -> None:
    shown = await uploaded(crew, crew.ann, "a.txt", b"x")

    def work(transaction: Transaction) -> None:
        (first,) = list_files_of(transaction, crew.ann.id, 1)
        older = [
            msgspec.structs.replace(first, id=new_id(), blob=f"files/x/{n}", create_at=n) for n in range(2 * BATCH)
        ]
        add_files(transaction, older)
        draft = {"user_id": crew.ann.id, "channel_id": crew.off_topic.id, "root_id": UUID(int=0), "message": "soon"}
        more = {"create_at": 1, "update_at": 1, "props": {}, "file_ids": [shown_id(each.id) for each in older]}
        transaction.connection.execute(insert(drafts).values(**draft, **more))

    await crew.house.storage.write(work)
    clock.set(clock.now() + timedelta(hours=25))
    await trio.sleep(SWEEP)

    assert await count(crew, files) == 2 * BATCH
    assert (await crew.ann.client.get(f"{API}/files/{shown['id']}/info")).status == 404


@pytest.mark.manor(config={"plugins": {"chat": {"deleted_files_days": 3}}})
async def test_the_files_of_a_deleted_post_go_later(crew: Crew, clock: SetClock, autojump_clock: MockClock) -> None:
    shown = await uploaded(crew, crew.ann, "posted.txt", b"x")
    post = await posted(crew, crew.ann, shown["id"])
    await crew.ann.client.delete(f"{API}/posts/{post['id']}")

    clock.set(clock.now() + timedelta(days=2))
    await trio.sleep(SWEEP)
    assert (await count(crew, files), len(await kept(crew))) == (1, 1)
    clock.set(clock.now() + timedelta(days=2))
    await trio.sleep(SWEEP)

    assert (await count(crew, files), await kept(crew)) == (0, [])


async def test_an_upload_that_stands_still_is_given_up(crew: Crew, clock: SetClock, autojump_clock: MockClock) -> None:
    upload_id = await begun(crew, 10)
    await sent(crew, upload_id, b"half")
    clock.set(clock.now() + timedelta(hours=23))
    await sent(crew, upload_id, b"more")
    clock.set(clock.now() + timedelta(hours=23))
    await trio.sleep(SWEEP)
    assert await offset(crew, upload_id) == 8

    clock.set(clock.now() + timedelta(hours=2))
    await trio.sleep(SWEEP)

    assert (await count(crew, uploads), await kept(crew)) == (0, [])


async def test_content_that_no_row_names_goes_some_time(crew: Crew, autojump_clock: MockClock) -> None:
    shown = await uploaded(crew, crew.ann, "known.txt", b"x")
    upload_id = await begun(crew, 10)
    await sent(crew, upload_id, b"half")
    known = await kept(crew)
    store = crew.house.services.blobs.for_plugin("chat")
    stray = new_id().hex
    for key in (f"files/ab/{stray}", f"files/ab/{stray}.preview", f"uploads/{stray}/0", f"emoji/{stray}"):
        await store.put(key, b"x")
    await store.put("pictures/another", b"x")

    await trio.sleep(4000)

    assert await kept(crew) == sorted([*known, "pictures/another"])
    assert (await crew.ann.client.get(f"{API}/files/{shown['id']}")).status == 200


async def test_an_erased_person_leaves_no_files(crew: Crew, autojump_clock: MockClock) -> None:
    await uploaded(crew, crew.bob, "a.txt", b"x")
    of_ann = await uploaded(crew, crew.ann, "a.txt", b"x")
    await begun(crew, 5, who=crew.bob)
    personal = crew.house.services.identity.personal
    exported = [item async for section, item in personal.export(crew.bob.id) if section == "chat_files"]
    assert [item.name for item in exported if isinstance(item, FileInfo)] == ["a.txt"]

    await crew.house.storage.write(lambda transaction: personal.erase(transaction, crew.bob.id, actor="shell"))
    await trio.sleep(SWEEP)

    assert (await count(crew, files), await count(crew, uploads), len(await kept(crew))) == (1, 0, 1)
    assert (await crew.ann.client.get(f"{API}/files/{of_ann['id']}")).status == 200
