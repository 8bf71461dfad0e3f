"""Static files: what was there at the start, under a URL that changes with the content."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from manor.assets import LARGEST_FILE, Assets, UnfitFolder, core_assets
from manor.routing import Reply
from tests.core.dispatching import ask, dispatcher, head


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "icons" / "big").mkdir(parents=True)
    (folder / "style.css").write_text("body {}")
    (folder / "icons" / "bell.svg").write_text("<svg/>")
    (folder / "icons" / "big" / "bell.PNG").write_bytes(b"png")
    (folder / "code.js.gz").write_bytes(gzip.compress(b"ring()" * 100))
    (folder / ".hidden").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


async def get(assets: Assets, path: str, *headers: tuple[str, str], method: str = "GET") -> Any:
    return await ask(dispatcher(*assets.routes()), head(f"{method} {path}", *headers))


async def test_a_file_is_served_for_ever_under_its_hash(folder: Path) -> None:
    assets = Assets("doorbell", folder)
    url = assets.url("icons/bell.svg")
    assert url == f"/static/doorbell/{assets.version}/icons/bell.svg"
    reply = await get(assets, url)
    assert isinstance(reply, Reply)
    assert (reply.body, reply.content_type) == (b"<svg/>", "image/svg+xml")
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (await get(assets, assets.url("icons/big/bell.PNG"))).content_type == "image/png"


async def test_the_hash_changes_with_a_files_content_and_name(folder: Path) -> None:
    before = Assets("doorbell", folder)
    assert Assets("doorbell", folder).version == before.version
    (folder / "style.css").write_text("body { }")
    after = Assets("doorbell", folder)
    assert after.version != before.version
    assert (await get(after, before.url("style.css"))).status == 404


async def test_a_browser_that_has_it_is_sent_nothing(folder: Path) -> None:
    assets = Assets("doorbell", folder)
    etag = (await get(assets, assets.url("style.css"))).headers["ETag"]
    reply = await get(assets, assets.url("style.css"), ("If-None-Match", f'W/"x", {etag}'))
    assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", etag)
    assert (await get(assets, assets.url("style.css"), ("If-None-Match", '"x"'))).status == 200


@pytest.mark.parametrize(
    ("accepts", "is_compressed"),
    [("gzip, br", True), ("*", True), ("GZIP;q=0.5", True), ("br", False), ("gzip; q=0", False), ("", False)],
)
async def test_a_compressed_file_comes_as_the_client_takes_it(folder: Path, accepts: str, is_compressed: bool) -> None:
    assets = Assets("doorbell", folder)
    reply = await get(assets, assets.url("code.js"), ("Accept-Encoding", accepts))
    assert reply.content_type == "text/javascript; charset=utf-8"
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert ("Content-Encoding" in reply.headers) is is_compressed
    assert (gzip.decompress(reply.body) if is_compressed else reply.body) == b"ring()" * 100


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "icons%2Fbell.svg",
        "icons/../style.css",
        "icons/big/..%2f..%2f.hidden",
        "%00",
        ".hidden",
        "icons",
        "icons/",
        "",
        "missing.css",
        "code.js.gz",
        "style.css/",
    ],
)
async def test_no_other_file_is_served(folder: Path, path: str) -> None:
    assets = Assets("doorbell", folder)
    reply = await get(assets, f"/static/doorbell/{assets.version}/{path}")
    assert reply.status == 404
    assert b"secret" not in reply.body


async def test_a_credential_for_something_else_does_not_matter(folder: Path) -> None:
    assets = Assets("doorbell", folder)
    assert (await get(assets, assets.url("style.css"), ("Authorization", "Basic YTpi"))).status == 200


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(UnfitFolder, match="leads out of"):
        Assets("doorbell", folder)


def test_a_huge_file_is_refused(folder: Path) -> None:
    (folder / "film.mp4").write_bytes(b"\0" * (LARGEST_FILE + 1))
    with pytest.raises(UnfitFolder, match="over 4 MiB"):
        Assets("doorbell", folder)


def test_a_url_is_made_of_known_files_only(folder: Path) -> None:
    with pytest.raises(KeyError):
        Assets("doorbell", folder).url("missing.css")


def test_the_cores_own_files_come_with_their_licences() -> None:
    names = core_assets().names
    for name in ("redoc.standalone.js", "swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"vendor/{name}" in names
    assert {"vendor/redoc.LICENSE.txt", "vendor/swagger-ui.LICENSE.txt", "vendor/README.md"} <= set(names)
