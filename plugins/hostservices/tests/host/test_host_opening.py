"""Opening what lies in folders of other accounts: whose links are followed, and whose are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manor_hostservices.backends.opening import NotFollowed, open_file, open_folder
from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.backends.zone_file import read_zone_file
from manor_hostservices.config import HostConfig
from manor_hostservices.places import Places
from manor_hostservices.programs import WrittenDown
from manor_hostservices.refusals import Failed

OURS = frozenset({os.geteuid()})
NOBODYS: frozenset[int] = frozenset()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What stands for `/`, with a file and links to it."""
    (tmp_path / "data/real").mkdir(parents=True)
    (tmp_path / "data/real/file").write_text("it")
    (tmp_path / "link").symlink_to("/data")  # of the root that is meant
    (tmp_path / "beside").symlink_to("data")
    (tmp_path / "up").symlink_to("data/../../../data")  # nobody gets above it
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "data/other").symlink_to("real/file")
    return tmp_path


def read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


@pytest.mark.parametrize("way", ["/data/real", "/link/real", "/beside/real", "/up/real", "/../data/./real/../real"])
def test_links_of_those_who_are_trusted_are_followed(root: Path, way: str) -> None:
    descriptor = open_folder(root, way, OURS)
    is_it = os.path.samestat(os.fstat(descriptor), (root / "data/real").stat())
    os.close(descriptor)

    assert is_it
    assert read(open_file(root, f"{way}/file", OURS)) == b"it"
    assert read(open_file(root, "/beside/other", OURS)) == b"it"


@pytest.mark.parametrize("way", ["/beside/real/file", "/data/other"])
def test_links_of_others_are_not_followed(root: Path, way: str) -> None:
    descriptors = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(NotFollowed):
        open_file(root, way, NOBODYS)
    with pytest.raises(NotFollowed):
        open_file(root, "/loop", OURS)

    assert len(list(Path("/dev/fd").iterdir())) == descriptors


def test_links_that_others_may_have_moved_are_not_followed(root: Path) -> None:
    for mode, is_followed in ((0o770, False), (0o757, False), (0o1777, True)):
        (root / "data").chmod(mode)
        if is_followed:
            assert read(open_file(root, "/data/other", OURS)) == b"it"
            continue
        with pytest.raises(NotFollowed):
            open_file(root, "/data/other", OURS)
        assert read(open_file(root, "/data/real/file", OURS)) == b"it", "there is no link on this way"


def test_what_is_not_there_is_said_as_usual(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_folder(root, "/none/real", OURS)
    with pytest.raises(NotADirectoryError):
        open_folder(root, "/data/real/file", OURS)
    with pytest.raises(NotADirectoryError):
        open_file(root, "/data/real/file/more", OURS)


@pytest.mark.box  # only root gives files away
def test_a_mail_server_does_not_lead_root_to_what_it_may_not_read(root: Path) -> None:
    secret, place = root / "etc/secret", root / "var/dkim"
    for folder in (secret.parent, place):
        folder.mkdir(parents=True)
    secret.write_text("root's")
    (place / "record.txt").write_text("v=DKIM1")
    os.chown(place, 65534, 65534)
    os.chown(place / "record.txt", 65534, 65534)
    assert read_zone_file(Places(root), "/var/dkim/record.txt") == b"v=DKIM1"
    (place / "record.txt").unlink()
    (place / "record.txt").symlink_to("/etc/secret")

    for owner in (65534, 0):  # one of root's may have been moved there
        os.chown(place / "record.txt", owner, owner, follow_symlinks=False)
        with pytest.raises(Failed, match="is a link"):
            read_zone_file(Places(root), "/var/dkim/record.txt")
    os.chown(place, 0, 0)
    assert read_zone_file(Places(root), "/var/dkim/record.txt") == b"root's", "this is what root wanted"


async def test_a_record_that_cannot_be_read_is_not_told_as_none(root: Path) -> None:
    config = HostConfig(backend="sandbox", root=str(root), dkim_file=f"/{'x' * 300}")

    with pytest.raises(Failed, match="File name too long"):
        await Sandbox(config, Places(root), WrittenDown()).dkim()
