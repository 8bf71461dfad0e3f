"""The `[plugins.stream]` table."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from manor import TcpBind, parse_bind


def _secret(description: str) -> Meta:
    return Meta(description=description, extra={"secret": True})


def _check_geoip(path: str) -> None:
    # Imported by those who have one.
    from manor_stream.watching.geoip import check_database

    check_database(path)


def _read_bind(text: str) -> TcpBind | None:
    if not text:
        return None
    bind = parse_bind(text)
    if not isinstance(bind, TcpBind):
        raise ValueError(f"expected HOST:PORT or [IPV6]:PORT, got {text!r}")
    return bind


class StreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where broadcasters come in, and what becomes of their video. What the admin API sets wins over this table."""

    rtmp_bind: Annotated[
        str,
        Meta(
            description='Where encoders publish, as `"127.0.0.1:1935"` or `"0.0.0.0:1935"`; empty: nobody can.',
            extra={"check": _read_bind},
        ),
    ] = "127.0.0.1:1935"
    key: Annotated[
        str,
        _secret(
            "Holds the stream key, which is the password of `/admin/` too. Empty: one is made at random at the first "
            "start, and `manor stream key` shows it."
        ),
    ] = ""
    ffmpeg: Annotated[str, Meta(min_length=1, description="The ffmpeg to use: a name on the PATH, or a path.")] = (
        "ffmpeg"
    )
    data_dir: Annotated[
        str, Meta(description="The folder for what a broadcast leaves on disk; empty: `stream` in the data folder.")
    ] = ""
    max_broadcast_mbit: Annotated[
        int,
        Meta(ge=1, le=1000, description="A broadcaster that sends more, over ten seconds, is disconnected (Mbit/s)."),
    ] = 30
    directory_url: Annotated[
        str, Meta(description="The directory that is told of the stream while it is live; empty: none ever is.")
    ] = ""
    geoip_database: Annotated[
        str,
        Meta(
            description="A MaxMind database (.mmdb) that says where viewers are; empty: nobody is looked up.",
            extra={"check": _check_geoip},
        ),
    ] = ""

    @property
    def rtmp_address(self) -> TcpBind | None:
        """Where encoders publish; None when nobody can."""
        return _read_bind(self.rtmp_bind)
