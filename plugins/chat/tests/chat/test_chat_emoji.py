"""Emoji that people make."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from PIL import ImageSequence

from manor import SYSTEM_ID, Event, to_chat_id
from manor.testing import Answer
from manor_chat.events import Told
from tests.chat_files import FORM, animation, bomb, form, kept, opened, picture
from tests.chat_people import API, Chatter, Crew

EMOJI_KEYS = {"id", "create_at", "update_at", "delete_at", "creator_id", "name"}
UNKNOWN = "y" * 26


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["id"]


async def make(who: Chatter, name: str = "tadaa", content: bytes | None = None, **more: Any) -> Answer:
    new = msgspec.json.encode({"name": name, "creator_id": who.chat_id, **more}).decode()
    image = picture((64, 64)) if content is None else content
    body = form(("emoji", new), ("image", "tadaa.png", image))
    return await who.client.post(f"{API}/emoji", body=body, headers=FORM)


async def made(who: Chatter, name: str = "tadaa", content: bytes | None = None) -> dict[str, Any]:
    answer = await make(who, name, content)
    assert answer.status == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [each["name"] for each in answer.json()]


async def test_a_new_emoji_is_told_to_everybody(crew: Crew, heard: list[Event]) -> None:
    shown = await made(crew.ann)

    assert set(shown) == EMOJI_KEYS
    assert (shown["name"], shown["creator_id"], shown["delete_at"]) == ("tadaa", crew.ann.chat_id, 0)
    (told,) = [event for event in heard if isinstance(event, Told) and event.event == "emoji_added"]
    assert (told.user_id, told.channel_id, told.team_id) == (None, None, None)
    assert msgspec.json.decode(msgspec.json.decode(told.data)["emoji"]) == shown


async def test_an_emoji_is_found_by_id_by_name_and_by_several_names(crew: Crew) -> None:
    shown = await made(crew.ann)
    other = await made(crew.bob, "zebras")

    bob = crew.bob.client
    assert (await bob.get(f"{API}/emoji/{shown['id']}")).json() == shown
    assert (await bob.get(f"{API}/emoji/name/tadaa")).json() == shown
    asked = await bob.post(f"{API}/emoji/names", json=["zebras", "smile", "nobody", "tadaa"])
    assert asked.json() == [shown, other]
    assert (await bob.post(f"{API}/emoji/names", json=[])).json() == []
    assert code(await bob.get(f"{API}/emoji/{UNKNOWN}")) == (404, "app.emoji.get.no_result")
    assert code(await bob.get(f"{API}/emoji/{UNKNOWN}/image")) == (404, "app.emoji.get.no_result")
    assert code(await bob.get(f"{API}/emoji/x")) == (400, "api.context.invalid_url_param.app_error")
    assert code(await bob.get(f"{API}/emoji/name/nobody")) == (404, "app.emoji.get_by_name.no_result")
    assert code(await bob.get(f"{API}/emoji/name/a b")) == (400, "api.context.invalid_url_param.app_error")
    too_many = (400, "api.emoji.get_multiple_by_name_too_many.request_error")
    assert code(await bob.post(f"{API}/emoji/names", json=["x"] * 201)) == too_many


async def test_emoji_are_listed_searched_and_completed(crew: Crew) -> None:
    for name in ("wave_zz", "party_zz", "zz_party", "under_zz"):
        await made(crew.ann, name)
    ann = crew.ann.client

    assert await names(await ann.get(f"{API}/emoji")) == ["wave_zz", "party_zz", "zz_party", "under_zz"]
    assert await names(await ann.get(f"{API}/emoji?sort=name&per_page=3")) == ["party_zz", "under_zz", "wave_zz"]
    assert await names(await ann.get(f"{API}/emoji?sort=name&per_page=3&page=1")) == ["zz_party"]
    assert (await ann.get(f"{API}/emoji?sort=size")).status == 400
    assert await names(await ann.get(f"{API}/emoji/autocomplete?name=PARTY")) == ["party_zz"]
    assert (await ann.get(f"{API}/emoji/autocomplete")).status == 400
    found = await ann.post(f"{API}/emoji/search", json={"term": "party"})
    assert await names(found) == ["party_zz", "zz_party"]
    begins = await ann.post(f"{API}/emoji/search", json={"term": "party", "prefix_only": True})
    assert await names(begins) == ["party_zz"]
    assert await names(await ann.post(f"{API}/emoji/search", json={"term": "%"})) == []
    assert (await ann.post(f"{API}/emoji/search", json={})).status == 400


async def test_a_picture_becomes_as_large_as_an_emoji(crew: Crew) -> None:
    shown = await made(crew.ann, content=picture((1000, 500), "JPEG"))
    path = f"{API}/emoji/{shown['id']}/image"

    answer = await crew.bob.client.get(path)

    assert (opened(answer.body).format, opened(answer.body).size) == ("PNG", (128, 64))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "max-age=86400, private"
    known = await crew.bob.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert known.status == 304


async def test_an_emoji_that_moves_still_does(crew: Crew) -> None:
    shown = await made(crew.ann, content=animation((300, 150), 4))

    answer = await crew.ann.client.get(f"{API}/emoji/{shown['id']}/image")

    assert answer.headers["content-type"] == "image/gif"
    moving = opened(answer.body)
    assert (moving.size, len(list(ImageSequence.Iterator(moving)))) == ((128, 64), 4)


async def test_a_name_is_free_and_well_formed(crew: Crew) -> None:
    await made(crew.ann)

    for name, refusal in (
        ("", "model.emoji.name.app_error"),
        ("a b", "model.emoji.name.app_error"),
        ("grüße", "model.emoji.name.app_error"),
        ("x" * 65, "model.emoji.name.app_error"),
        ("smile", "model.emoji.system_emoji_name.app_error"),
        ("Thumbsup", "model.emoji.system_emoji_name.app_error"),
        ("tadaa", "api.emoji.create.duplicate.app_error"),
    ):
        assert code(await make(crew.bob, name)) == (400, refusal), name
    assert len(await kept(crew)) == 1


async def test_what_is_no_small_picture_is_no_emoji(crew: Crew) -> None:
    no_picture = (400, "api.emoji.upload.image.app_error")
    for content, refusal in (
        (b"hello", no_picture),
        (b"", no_picture),
        (picture(form="BMP"), no_picture),
        (picture()[:60], no_picture),
        (bomb(), (400, "api.emoji.upload.large_image.too_large.app_error")),
        (bytes(512 * 1024 + 1), (413, "api.emoji.create.too_large.app_error")),
    ):
        assert code(await make(crew.ann, content=content)) == refusal, content[:20]
    assert await kept(crew) == []


async def test_a_bad_form_makes_nothing(crew: Crew) -> None:
    image = ("image", "a.png", picture())
    for body in (
        b"",
        form(("emoji", '{"name":"a"}')),
        form(image),
        form(("emoji", "nonsense"), image),
        form(("emoji", '{"name":5}'), image),
        form(("emoji", '{"name":"a","creator_id":"x"}'), image),
    ):
        answer = await crew.ann.client.post(f"{API}/emoji", body=body, headers=FORM)
        assert code(answer) == (400, "api.context.invalid_body_param.app_error"), body[:200]


async def test_nobody_makes_an_emoji_in_anothers_name(crew: Crew) -> None:
    assert (await make(crew.ann, creator_id=crew.bob.chat_id)).status == 403


async def test_its_maker_or_an_administrator_deletes_an_emoji(crew: Crew) -> None:
    for who, name in ((crew.ann, "one"), (crew.ada, "two")):
        shown = await made(crew.ann, f"{name}_zz")
        path = f"{API}/emoji/{shown['id']}"
        assert code(await crew.bob.client.delete(path)) == (403, "api.context.permissions.app_error")
        assert (await who.client.delete(path)).json() == {"status": "OK"}
        assert (await crew.ann.client.get(path)).status == 404
        assert (await crew.ann.client.delete(path)).status == 404
    assert (await make(crew.bob, "one_zz")).status == 200


async def test_an_erased_person_leaves_their_emoji_to_the_others(crew: Crew) -> None:
    shown = await made(crew.bob)
    (data,) = [each.brought.personal_data for each in crew.house.plugins if each.name == "chat"]
    assert data is not None

    await crew.house.storage.write(lambda transaction: data.erase(transaction, crew.bob.id, 100))

    left = (await crew.ann.client.get(f"{API}/emoji/{shown['id']}")).json()
    assert left["creator_id"] == to_chat_id(SYSTEM_ID)


@pytest.mark.manor(config={"plugins": {"chat": {"custom_emoji": False}}})
async def test_emoji_can_be_switched_off(crew: Crew) -> None:
    off = (501, "api.emoji.disabled.app_error")
    assert code(await make(crew.ann)) == off
    for path in ("", "/name/x", f"/{UNKNOWN}", f"/{UNKNOWN}/image"):
        assert code(await crew.ann.client.get(f"{API}/emoji{path}")) == off
