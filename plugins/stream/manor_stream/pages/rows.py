"""Settings that are lists, as rows of a form: each column is a field that is sent once for every row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from manor_stream.setting_rules import Unfit
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle

COPY, ENCODE = "copy", "encode"


class HandlesForm(msgspec.Struct, frozen=True):
    """Where else the broadcaster is found; a row without an address is none."""

    platform: list[str] = []
    url: list[str] = []


class ActionsForm(msgspec.Struct, frozen=True):
    """Buttons beside the video; a row without an address is none. The last three are kept for other programs."""

    title: list[str] = []
    url: list[str] = []
    description: list[str] = []
    icon: list[str] = []
    color: list[str] = []
    opens_externally: list[str] = []


class QualitiesForm(msgspec.Struct, frozen=True):
    """What viewers may choose from; `gone` has the numbers of rows to leave out, `wanted` says that the last counts."""

    name: list[str] = []
    video: list[str] = []
    audio: list[str] = []
    video_bitrate: list[str] = []
    audio_bitrate: list[str] = []
    width: list[str] = []
    height: list[str] = []
    framerate: list[str] = []
    cpu: list[str] = []
    gone: list[str] = []
    wanted: str = ""


def read_handles(form: HandlesForm) -> list[SocialHandle]:
    """The handles of a form.

    Raises:
        Unfit: Its columns are not equally long.
    """
    rows = _rows(form.platform, form.url)
    return [SocialHandle(platform.strip(), url.strip()) for platform, url in rows if url.strip()]


def read_actions(form: ActionsForm) -> list[ExternalAction]:
    """The actions of a form.

    Raises:
        Unfit: Its columns are not equally long.
    """
    rows = _rows(form.url, form.title, form.description, form.icon, form.color, form.opens_externally)
    return [
        ExternalAction(url.strip(), title.strip(), description.strip(), icon, color, opens_externally=bool(opens))
        for url, title, description, icon, color, opens in rows
        if url.strip()
    ]


def read_qualities(form: QualitiesForm) -> list[dict[str, Any]]:
    """The qualities of a form as the API has them, without those that are to go; whether they fit, their rule says.

    Raises:
        Unfit: A number is none, or its columns are not equally long.
    """
    rows = _rows(
        form.name, form.video, form.audio, form.video_bitrate, form.audio_bitrate,
        form.width, form.height, form.framerate, form.cpu,
    )  # fmt: skip
    found = []
    for number, (name, video, audio, *numbers) in enumerate(rows):
        is_last = number == len(rows) - 1
        if str(number) in form.gone or (is_last and not form.wanted):
            continue
        bitrate, audio_bitrate, width, height, framerate, cpu = (_number(text, number) for text in numbers)
        found.append(
            {
                "name": name,
                "videoPassthrough": video == COPY,
                "audioPassthrough": audio == COPY,
                "videoBitrate": bitrate,
                "audioBitrate": audio_bitrate,
                "scaledWidth": width,
                "scaledHeight": height,
                "framerate": framerate,
                "cpuUsageLevel": cpu or 2,
            }
        )
    return found


def _rows(*columns: Sequence[str]) -> list[tuple[str, ...]]:
    try:
        return list(zip(*columns, strict=True))
    except ValueError as error:
        raise Unfit("a row is not complete") from error


def _number(text: str, row: int) -> int:
    text = text.strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Unfit("expected a number", f"quality {row + 1}")
    return int(text)


class StorageForm(msgspec.Struct, frozen=True):
    """Where segments go."""

    enabled: str = ""
    endpoint: str = ""
    serving_endpoint: str = ""
    access_key: str = ""
    secret: str = ""
    bucket: str = ""
    region: str = ""
    acl: str = ""
    force_path_style: str = ""


def read_storage(form: StorageForm, *, before: S3Settings) -> S3Settings:
    """The storage of a form; a secret that was not typed is the one of before."""
    return S3Settings(
        enabled=bool(form.enabled),
        endpoint=form.endpoint.strip(),
        serving_endpoint=form.serving_endpoint.strip(),
        access_key=form.access_key.strip(),
        secret=form.secret.strip() or before.secret,
        bucket=form.bucket.strip(),
        region=form.region.strip(),
        acl=form.acl.strip(),
        force_path_style=bool(form.force_path_style),
    )
