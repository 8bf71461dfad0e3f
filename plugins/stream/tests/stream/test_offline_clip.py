"""The offline clip on disk: what was cut short is made anew, and there are not more and more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from manor_stream.transcoding import offline_clip
from manor_stream.transcoding.offline_clip import Clip, Clips

QUIET = Clip(0, 0, 0, has_video=False, has_audio=True)


@pytest.mark.parametrize("size", [0, 1000])
async def test_a_clip_that_a_power_cut_made_short_is_made_anew(tmp_path: Path, size: int) -> None:
    path = tmp_path / "offline" / QUIET.name
    path.parent.mkdir()
    path.write_bytes(b"G" * size)

    made = await Clips(tmp_path).make("ffmpeg", QUIET)

    assert made is not None
    assert len(made) > size
    assert path.read_bytes() == made


async def test_no_more_than_some_clips_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline_clip, "MOST_KEPT", 3)
    folder = tmp_path / "offline"
    folder.mkdir()
    for number in range(6):
        (folder / f"offline-{number}.ts").write_bytes(b"")
    (folder / "offline-7.part").write_bytes(b"left behind")

    made = await Clips(tmp_path).make("ffmpeg", QUIET)

    assert len(list(folder.iterdir())) == 3
    assert (folder / QUIET.name).read_bytes() == made
