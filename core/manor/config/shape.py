"""What may be configured: every key of the core with its type, its default and its meaning.

The meanings stand in `Meta(description=…)`, the one place: the reference page and the example file are checked
against them. `extra={"live": True}` marks what a SIGHUP applies; `Secret` what never stands in a file of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from manor.config.addresses import (
    check_origin,
    check_root_url,
    check_sender,
    check_target,
    check_url,
    parse_bind,
    parse_network,
)

LIVE = {"live": True}


def _check_readable(path: Path) -> None:
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read")


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder")


def _check_no_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is not a folder")


def _check_limit(value: int) -> None:
    if value < 0:
        raise ValueError(f"expected int >= 0 (0 is no limit), got {value}")


def _check_prefix(text: str) -> None:
    if text and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*", text):
        raise ValueError(f"expected words of letters, digits, '.', '_' and '-' with slashes between, got {text!r}")


def _check(function: Callable[[Any], Any]) -> Meta:
    return Meta(extra={"check": function})


Secret = Annotated[str, Meta(extra={"secret": True})]
"""A key that files name as `KEY_file` (a path whose stripped content is the value) and variables give themselves."""


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How mail leaves; without `host`, links that would have been mailed are logged instead."""

    host: Annotated[str, Meta(description="The mail server; empty: no mail is sent.")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port: 25, 587 with `starttls`, 465 with `tls`.")] = 25
    security: Annotated[
        Literal["none", "starttls", "tls"], Meta(description="How the connection to it is encrypted.")
    ] = "none"
    username: Annotated[str, Meta(description="Signs in to it; empty: no sign-in.")] = ""
    password: Annotated[Secret, Meta(description="Holds the password that goes with `username`, and nothing else.")] = (
        ""
    )
    sender: Annotated[
        str,
        _check(check_sender),
        Meta(description='Who mail comes from, as in `"Manor <manor@example.org>"`; needed with `host`.'),
    ] = field(name="from", default="")


class Outgoing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where requests that others ask for (webhooks and the like) may go."""

    allow: Annotated[
        tuple[Annotated[str, _check(check_target)], ...],
        Meta(
            description='Private targets that may be reached, as `"127.0.0.1:9000"` or `"10.0.0.0/8"`; public ones '
            "always may, on ports 80, 443 and from 1024 on."
        ),
    ] = ()


class BlobsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where files are kept that are too large for the database."""

    kind: Annotated[
        Literal["local", "s3"],
        Meta(description="Where plugins keep files: below their own folder of the data directory, or in S3."),
    ] = "local"
    endpoint: Annotated[
        str,
        _check(check_url),
        Meta(description='The S3 service, as `"https://s3.eu-central-1.amazonaws.com"`; it may be a private address.'),
    ] = ""
    bucket: Annotated[str, Meta(description="The bucket; it has to be there.")] = ""
    region: Annotated[
        str, Meta(min_length=1, description="Its region, as the service calls it; services without regions take any.")
    ] = "us-east-1"
    access_key: Annotated[Secret, Meta(description="Holds the access key's id.")] = ""
    secret_key: Annotated[Secret, Meta(description="Holds the access key's secret.")] = ""
    prefix: Annotated[
        str,
        _check(_check_prefix),
        Meta(description="Stands before every key, when the bucket has other things in it, too; no slash at its ends."),
    ] = ""
    path_style: Annotated[
        bool,
        Meta(description="Whether the bucket stands in the path; false: before the host's name, as AWS wants it."),
    ] = True


LogLevel = Literal["debug", "info", "warning", "error"]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of one thing the server takes at once."""

    connections: Annotated[int, Meta(ge=1, description="Open connections in all.")] = 4096
    connections_per_address: Annotated[
        int, Meta(ge=0, description="Open connections of one address (IPv6: of one /64); 0 is no limit.")
    ] = 64
    address_limit_factor: Annotated[
        float,
        Meta(
            ge=0,
            description="Multiplies all rates, stream counts and failed sign-ins of one address; 0 switches these "
            "limits off. A plugin's own key overrides it.",
        ),
    ] = 1
    header_bytes: Annotated[int, Meta(ge=1024, description="Request line and headers together; more is 431.")] = 16_384
    body_bytes: Annotated[
        int, Meta(ge=1024, description="A request's body where its route does not say otherwise; more is 413.")
    ] = 1_048_576
    websocket_message_bytes: Annotated[
        int, Meta(ge=1024, description="One message of a WebSocket client; a longer one closes the socket with 1009.")
    ] = 262_144
    header_seconds: Annotated[
        float, Meta(gt=0, description="How long a client has to send the whole head of a request.")
    ] = 10
    body_idle_seconds: Annotated[
        float, Meta(gt=0, description="How long a client may pause within a body; longer is 408.")
    ] = 15
    keep_alive_seconds: Annotated[
        float, Meta(gt=0, description="How long a connection may be idle between requests.")
    ] = 15
    write_seconds: Annotated[
        float, Meta(gt=0, description="How long a client may take nothing of what is written to it.")
    ] = 30


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The daemon itself: where it listens, where its data is, who stands in front of it."""

    bind: Annotated[
        tuple[Annotated[str, _check(parse_bind)], ...],
        Meta(
            min_length=1,
            description='Where it listens: `"127.0.0.1:8080"`, `"[::1]:8080"`, `"unix:/run/manor/http.sock"`, or '
            '`"fd://3"` for a socket that systemd opened.',
        ),
    ] = ("127.0.0.1:8080",)
    data_dir: Annotated[
        Path,
        _check(_check_no_file),
        Meta(description="The folder for all data; a relative one is below the folder it is started in."),
    ] = Path("data")
    public_url: Annotated[
        str,
        _check(check_root_url),
        Meta(description="How people reach it, as `https://manor.example.org`; empty: as the request says."),
    ] = ""
    frontend_url: Annotated[
        str, _check(check_url), Meta(description="The front end that links lead to; empty: our own pages.")
    ] = ""
    trusted_proxies: Annotated[
        tuple[Annotated[str, _check(parse_network)], ...],
        Meta(
            description="Addresses or networks of reverse proxies: what they forward is believed, and counts per "
            "address are taken of the forwarded one."
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[Annotated[str, _check(check_origin)], ...],
        Meta(description='Origins whose pages may call the APIs, as `"https://app.example.org"`; `"*"` is any.'),
    ] = ()
    plugin_folders: Annotated[
        tuple[Annotated[Path, _check(_check_folder)], ...], Meta(description="Folders to look for plugins in.")
    ] = ()
    tls_cert: Annotated[
        Path | None,
        _check(_check_readable),
        Meta(description="The certificate chain (PEM) for TLS without a proxy; empty: no TLS."),
    ] = None
    tls_key: Annotated[
        Path | None, _check(_check_readable), Meta(description="The certificate's private key (PEM).")
    ] = None
    pin_cpu: Annotated[
        bool, Meta(description="Stay on one processor: threads that hand work between two are slower.")
    ] = True
    processes: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="How many stream processes there are besides the daemon's own, which does everything where "
            "there are none. Each, of some 25 MiB, writes to streams and WebSockets that only listen.",
        ),
    ] = 0
    user: Annotated[str, Meta(description="When started as root: become this user; empty: stay.")] = ""
    log_level: Annotated[LogLevel, Meta(description="What is logged: this and what is graver.", extra=LIVE)] = "info"
    default_tier: Annotated[str, Meta(description="The tier of new people.")] = "FREE"
    audit_days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description="How long rows of the audit log are kept; 0: for ever. Those that are left are verified on.",
            extra=LIVE,
        ),
    ] = 90
    dead_letter_days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description="How long work that was given up waits for `manor outbox retry`; 0: for ever. Mails wait 7 "
            "days, as the links in them are void by then.",
            extra=LIVE,
        ),
    ] = 30
    limits: Annotated[Limits, Meta(extra=LIVE)] = field(default_factory=Limits)
    smtp: Annotated[Smtp, Meta(extra=LIVE)] = field(default_factory=Smtp)
    outgoing: Outgoing = field(default_factory=Outgoing)
    blobs: BlobsConfig = field(default_factory=BlobsConfig)


class IdentityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People: who may sign up, and how passwords are kept."""

    registration: Annotated[
        Literal["open", "invite", "closed"], Meta(description="Who may sign up, through whichever API.")
    ] = "open"
    require_verification: Annotated[
        bool, Meta(description="Whether an e-mail address is proven before its owner signs in.")
    ] = True
    terms_version: Annotated[
        str, Meta(min_length=1, max_length=50, description="The version of the terms that people accept.")
    ] = "1.0"
    argon2_memory_mib: Annotated[
        int, Meta(ge=19, le=4096, description="Memory for one password hash, in MiB; two are made at once at most.")
    ] = 64
    argon2_time: Annotated[int, Meta(ge=2, le=100, description="Passes over that memory.")] = 3
    reset_revokes_keys: Annotated[
        bool, Meta(description="Whether a password reset also revokes the person's API keys.")
    ] = False


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. Plugins' tables are raw until `decode_plugin`."""

    server: Server = field(default_factory=Server)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    tiers: Annotated[dict[str, dict[str, Annotated[int | bool, _check(_check_limit)]]], Meta(extra=LIVE)] = field(
        default_factory=dict
    )
    plugins: dict[str, dict[str, Any]] = field(default_factory=dict)
