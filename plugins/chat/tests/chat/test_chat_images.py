"""Pictures among files: their sizes, thumbnails and previews, and pictures that mean harm."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from manor.testing import Answer
from tests.chat_files import FORM, animation, bomb, channel_of, form, kept, opened, picture, posted, upload, uploaded
from tests.chat_people import API, Crew

TURNED = 6
"""EXIF's word for a picture that is looked at with its left side down."""


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["id"]


async def small(crew: Crew, shown: dict[str, Any], what: str) -> Answer:
    return await crew.ann.client.get(f"{API}/files/{shown['id']}/{what}")


async def test_a_picture_has_its_size_a_thumbnail_and_a_preview(crew: Crew) -> None:
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP"):
        shown = await uploaded(crew, crew.ann, f"a.{kind.lower()}", picture((300, 200), kind, "blue"))

        assert (shown["mime_type"], shown["width"], shown["height"]) == (f"image/{kind.lower()}", 300, 200)
        assert shown["has_preview_image"] is True
        mini = opened(base64.b64decode(shown["mini_preview"]))
        assert (mini.format, mini.size) == ("JPEG", (16, 16))
        thumbnail, preview = await small(crew, shown, "thumbnail"), await small(crew, shown, "preview")
        assert (opened(thumbnail.body).size, opened(preview.body).size) == ((120, 100), (300, 200))
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert preview.headers["content-disposition"].startswith("inline; ")
        assert preview.headers["cache-control"] == "max-age=86400, private"
        assert (await crew.ann.client.get(f"{API}/files/{shown['id']}/info")).json() == shown


async def test_a_large_picture_has_a_preview_as_wide_as_a_screen(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.jpg", picture((4000, 1000), "JPEG"))

    assert opened((await small(crew, shown, "preview")).body).size == (1920, 480)


async def test_what_one_sees_through_stays_so(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.png", picture((50, 50), "PNG", (255, 0, 0, 0)))

    preview = await small(crew, shown, "preview")
    assert (preview.headers["content-type"], opened(preview.body).mode) == ("image/png", "RGBA")
    assert opened(base64.b64decode(shown["mini_preview"])).getpixel((8, 8)) == (255, 255, 255)


async def test_a_camera_held_on_its_side_is_turned_upright(crew: Crew) -> None:
    lying = Image.new("RGB", (40, 20), "red")
    lying.paste("blue", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = TURNED
    into = io.BytesIO()
    lying.save(into, "JPEG", exif=exif, quality=95)

    shown = await uploaded(crew, crew.ann, "a.jpg", into.getvalue())

    assert (shown["width"], shown["height"]) == (20, 40)
    upright = opened((await small(crew, shown, "preview")).body)
    assert (upright.size, upright.getexif().get(0x0112)) == ((20, 40), None)
    top = upright.convert("RGB").getpixel((10, 5))
    assert isinstance(top, tuple)
    assert top[2] > 200


async def test_what_moves_has_a_thumbnail_and_is_its_own_preview(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.gif", animation((200, 100)))

    assert (shown["width"], shown["height"], shown["has_preview_image"]) == (200, 100, False)
    assert (await small(crew, shown, "thumbnail")).status == 200
    none = (400, "api.file.get_file_preview.no_preview.app_error")
    assert code(await small(crew, shown, "preview")) == none


async def test_what_is_no_picture_is_a_plain_file(crew: Crew) -> None:
    no_thumbnail = (400, "api.file.get_file_thumbnail.no_thumbnail.app_error")
    no_preview = (400, "api.file.get_file_preview.no_preview.app_error")
    for content in (picture()[:100], b"GIF89a\xff\x00\xff", b"\xff\xd8\xff" + bytes(100), b"hello"):
        shown = await uploaded(crew, crew.ann, "a.png", content)

        assert (shown["width"], shown["height"], shown["has_preview_image"]) == (0, 0, False)
        assert shown["mini_preview"] is None
        assert code(await small(crew, shown, "thumbnail")) == no_thumbnail
        assert code(await small(crew, shown, "preview")) == no_preview
        assert (await crew.ann.client.get(f"{API}/files/{shown['id']}")).body == content


async def test_a_bomb_is_refused_and_leaves_nothing(crew: Crew) -> None:
    refused = (400, "api.file.upload_file.large_image_detailed.app_error")

    assert code(await upload(crew, crew.ann, "a.png", bomb())) == refused
    several = form(("channel_id", channel_of(crew)), ("f", "good.png", picture()), ("f", "bad.png", bomb()))
    assert code(await crew.ann.client.post(f"{API}/files", body=several, headers=FORM)) == refused
    assert await kept(crew) == []


@pytest.mark.manor(config={"plugins": {"chat": {"max_image_pixels": 1_000_000}}})
async def test_a_picture_has_no_more_pixels_than_are_allowed(crew: Crew) -> None:
    assert (await upload(crew, crew.ann, "a.png", picture((1000, 1000)))).status == 201
    assert (await upload(crew, crew.ann, "a.png", picture((1001, 1000)))).status == 400
    # A JPEG can be read small.
    assert (await upload(crew, crew.ann, "a.jpg", picture((2000, 2000), "JPEG"))).status == 201
    assert (await upload(crew, crew.ann, "a.jpg", picture((2001, 2000), "JPEG"))).status == 400


async def test_a_post_shows_how_large_its_pictures_are(crew: Crew) -> None:
    shown = await uploaded(crew, crew.ann, "a.png", picture((300, 200)))

    post = await posted(crew, crew.ann, shown["id"])

    (file,) = post["metadata"]["files"]
    assert (file["width"], file["height"], file["mini_preview"]) == (300, 200, shown["mini_preview"])
