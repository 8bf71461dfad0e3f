"""Profile pictures: an initial until somebody uploads one, and nothing that is no picture."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from PIL import ExifTags, Image

from manor import Event, Principal
from manor.testing import Answer, Client, House
from manor_chat.events import Told
from manor_chat.people.pictures import MOST_PIXELS
from tests.chat_people import API, Chatter, Crew
from tests.chat_sign_in import told_id

FORBIDDEN = (403, "api.context.permissions.app_error")
MISSING = (404, "app.user.missing_account.const")
NO_PICTURE = (400, "api.user.upload_profile_user.decode.app_error")
TOO_LARGE = (413, "api.user.upload_profile_user.too_large.app_error")


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), mode: str = "RGB", **more: Any) -> bytes:
    written = io.BytesIO()
    Image.new(mode, size, 200 if mode in ("L", "P") else (200, 30, 60, 255)[: len(mode)]).save(written, kind, **more)
    return written.getvalue()


def misnoting() -> bytes:
    """A JPEG that is to be turned and whose width is noted as a text."""
    noted = Image.Exif()
    noted[ExifTags.Base.Orientation], noted[ExifTags.Base.ImageWidth] = 6, 300
    return picture("JPEG", exif=noted).replace(b"\x01\x00\x00\x04", b"\x01\x00\x00\x02", 1)


def claiming(width: int, height: int) -> bytes:
    """A small PNG that says that it is a large one."""
    chunk = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", len(chunk)) + b"IHDR" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + chunk))
    return b"\x89PNG\r\n\x1a\n" + head + picture()[33:]


async def upload(client: Client, content: bytes, who: str = "me", field: str = "image") -> Answer:
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="' + field.encode() + b'"; filename="me.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--edge--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    return await client.post(f"{API}/users/{who}/image", body=body, headers=headers)


async def seen(client: Client, who: Chatter, path: str = "") -> bytes:
    answer = await client.get(f"{API}/users/{who.chat_id}/image{path}?_=123")
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "max-age=86400, private"
    image = Image.open(io.BytesIO(answer.body))
    assert (image.format, image.size) == ("PNG", (128, 128))
    return answer.body


async def test_somebody_without_a_picture_has_an_initial(crew: Crew) -> None:
    first = await seen(crew.bob.client, crew.ann)

    assert first == await seen(crew.bob.client, crew.ann, "/default")
    colours = Image.open(io.BytesIO(first)).convert("RGB").getcolors(100_000)
    assert colours is not None
    assert len(colours) > 1
    answer = await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}/image")
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}/image", headers=known)).status == 304


@pytest.mark.parametrize(
    "content",
    [
        picture(),
        picture("JPEG"),
        picture("GIF", mode="P"),
        picture("BMP", size=(1, 1)),
        picture("WEBP", size=(50, 400)),
        picture(mode="RGBA"),
        picture(mode="L"),
        misnoting(),
    ],
)
async def test_an_uploaded_picture_is_made_small_and_square(crew: Crew, content: bytes) -> None:
    initial = await seen(crew.bob.client, crew.ann)

    assert (await upload(crew.ann.client, content)).json() == {"status": "OK"}

    assert await seen(crew.bob.client, crew.ann) != initial
    assert await seen(crew.bob.client, crew.ann, "/default") == initial


async def test_a_new_picture_takes_the_place_of_the_old_one_and_is_told(
    tmp_path: Path, crew: Crew, heard: list[Event]
) -> None:
    await upload(crew.ann.client, picture())
    first = await seen(crew.bob.client, crew.ann)
    await upload(crew.ann.client, picture(mode="L"))

    assert await seen(crew.bob.client, crew.ann) != first
    await trio.testing.wait_all_tasks_blocked()
    assert len(list(tmp_path.rglob("*.png"))) == 1
    assert (await crew.ann.client.get(f"{API}/users/me")).json()["last_picture_update"] > 0
    told = [each for each in heard if isinstance(each, Told) and each.event == "user_updated"]
    assert len(told) == 6
    assert (await crew.ann.client.request("DELETE", f"{API}/users/me/image")).json() == {"status": "OK"}
    assert await seen(crew.bob.client, crew.ann) == await seen(crew.bob.client, crew.ann, "/default")
    await trio.testing.wait_all_tasks_blocked()
    assert list(tmp_path.rglob("*.png")) == []


async def test_nothing_is_read_for_who_has_the_picture(tmp_path: Path, crew: Crew) -> None:
    path = f"{API}/users/{crew.ann.chat_id}/image"
    await upload(crew.ann.client, picture())
    etag = (await crew.bob.client.get(path)).headers["etag"]
    (kept,) = tmp_path.rglob("*.png")
    kept.unlink()

    assert (await crew.bob.client.get(path, headers={"If-None-Match": etag})).status == 304
    # The initial that stands for what is lost is another picture.
    lost = await crew.bob.client.get(path)
    assert (lost.status, lost.headers["etag"] == etag) == (200, False)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", (400, "api.user.upload_profile_user.no_file.app_error")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NO_PICTURE),
        (b"%PDF-1.4", NO_PICTURE),
        (picture()[:60], NO_PICTURE),
        (picture("JPEG")[:200], NO_PICTURE),
        (picture("TIFF"), NO_PICTURE),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, NO_PICTURE),
        (claiming(6000, MOST_PIXELS // 6000 + 1), TOO_LARGE),
        (claiming(2**31 - 1, 2**31 - 1), NO_PICTURE),
        (picture("WEBP")[:40], NO_PICTURE),
    ],
)
async def test_what_is_no_picture_is_refused(crew: Crew, content: bytes, refusal: tuple[int, str]) -> None:
    assert told_id(await upload(crew.ann.client, content)) == refusal


@pytest.mark.manor(config={"plugins": {"chat": {"max_file_bytes": 1024}}})
async def test_a_picture_is_no_larger_than_a_file_may_be(crew: Crew) -> None:
    assert told_id(await upload(crew.ann.client, b"\x89PNG" + b"x" * 1024)) == TOO_LARGE


async def test_pictures_are_their_owners_to_change(house: House, crew: Crew) -> None:
    assert told_id(await upload(crew.bob.client, picture(), crew.ann.chat_id)) == FORBIDDEN
    assert told_id(await crew.bob.client.request("DELETE", f"{API}/users/{crew.ann.chat_id}/image")) == FORBIDDEN
    assert (await upload(crew.ada.client, picture(), crew.ann.chat_id)).status == 200
    for path in ("image", "image/default"):
        assert told_id(await crew.bob.client.get(f"{API}/users/{'y' * 26}/{path}")) == MISSING
    assert told_id(await upload(crew.ada.client, picture(), "y" * 26)) == MISSING
    wrong_field = await upload(crew.ann.client, picture(), field="file")
    assert told_id(wrong_field) == (400, "api.user.upload_profile_user.no_file.app_error")
    no_form = await crew.ann.client.post(f"{API}/users/me/image", body=picture())
    assert told_id(no_form) == (400, "api.context.invalid_body_param.app_error")
    nobody = Client(house.dispatcher)(principals=[Principal("chat_session")])
    assert (await nobody.get(f"{API}/users/me/image")).status in (400, 401)
