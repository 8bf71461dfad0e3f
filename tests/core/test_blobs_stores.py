"""Which store a plugin has: as `[server.blobs]` says, and its own part of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from manor.blobs import LocalBlobs, S3Blobs
from manor.commands import Purge
from manor.config import load
from manor.errors import AdminFault, Unprocessable
from manor.testing.houses import open_test_house
from tests.s3_server import S3Server


async def test_without_a_word_files_are_in_the_plugins_own_folder(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["topics"]) as house:
        context = next(plugin.context for plugin in house.plugins if plugin.name == "topics")
        assert context is not None
        await context.blobs.put("some/file", b"here")

        assert isinstance(context.blobs, LocalBlobs)
        assert (house.loaded.data_dir / "topics" / "blobs" / "some+" / "file").read_bytes() == b"here"


def s3_config(server: S3Server, folder: Path, **more: Any) -> dict[str, Any]:
    keys = {}
    for name in ("access_key", "secret_key"):
        path = folder / name
        path.write_text(getattr(server, name) + "\n")
        path.chmod(0o600)
        keys[f"{name}_file"] = str(path)
    return {"server": {"blobs": {"kind": "s3", "endpoint": server.url, **keys, **more}}}


@pytest.mark.parametrize(
    ("prefix", "place"), [("", "topics/some/file"), ("manor/files", "manor/files/topics/some/file")]
)
async def test_files_are_in_the_bucket_below_the_prefix_and_the_plugins_name(
    tmp_path: Path, s3_server: S3Server, prefix: str, place: str
) -> None:
    bucket = s3_server.new_bucket()
    config = s3_config(s3_server, tmp_path, bucket=bucket, prefix=prefix)
    async with open_test_house(tmp_path, plugins=["topics"], config=config) as house:
        context = next(plugin.context for plugin in house.plugins if plugin.name == "topics")
        assert context is not None
        await context.blobs.put("some/file", b"there")

        assert isinstance(context.blobs, S3Blobs)
        assert s3_server.fetch("GET", f"/{bucket}/{place}")[1] == b"there"


async def test_a_purge_removes_the_plugins_files_from_the_bucket_and_no_others(
    tmp_path: Path, s3_server: S3Server
) -> None:
    bucket = s3_server.new_bucket()
    for place in ("gone/file", "gone/some/file", "gone2/file"):
        s3_server.fetch("PUT", f"/{bucket}/{place}")
    config = s3_config(s3_server, tmp_path, bucket=bucket)
    async with open_test_house(tmp_path, plugins=[], config=config) as house:
        await house.run_command("plugins.purge", Purge("gone"))

    assert re.findall(rb"<Key>([^<]+)<", s3_server.fetch("GET", f"/{bucket}")[1]) == [b"gone2/file"]


@pytest.mark.parametrize("name", ["../elsewhere", "identity", ""])
async def test_what_is_no_plugin_has_no_files_to_purge(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "elsewhere" / "blobs" / "file"
    victim.parent.mkdir(parents=True)
    victim.write_bytes(b"stays")
    async with open_test_house(tmp_path, plugins=[]) as house:
        with pytest.raises(Unprocessable):
            await house.run_command("plugins.purge", Purge(name))

    assert victim.read_bytes() == b"stays"


def problems_of(folder: Path, text: str) -> list[str]:
    path = folder / "config.toml"
    path.write_text(text)
    with pytest.raises(AdminFault) as caught:
        load(path, {}, folder)
    return [problem.what for problem in caught.value.problems]


def test_a_bucket_that_lacks_something_is_told_with_all_that_it_lacks(tmp_path: Path) -> None:
    told = problems_of(tmp_path, '[server.blobs]\nkind = "s3"\nbucket = "attic"\n')

    why = 'is missing: server.blobs.kind = "s3" needs it'
    assert told == [f"server.blobs.{key}: {why}" for key in ("endpoint", "access_key_file", "secret_key_file")]


@pytest.mark.parametrize(
    "line",
    [
        'kind = "ftp"',
        'endpoint = "s3.example.org"',
        'endpoint = "https://s3.example.org/"',
        'endpoint = "https://key:secret@s3.example.org"',
        'prefix = "/manor"',
        'prefix = "manor/"',
        'prefix = "../manor"',
        'region = ""',
        'access_key = "stands in the file"',
    ],
)
def test_a_wrong_value_is_told_with_its_key(tmp_path: Path, line: str) -> None:
    told = problems_of(tmp_path, f"[server.blobs]\n{line}\n")

    assert [what.partition(":")[0] for what in told] == [f"server.blobs.{line.partition(' ')[0]}"]
