"""Static files: read once at the start, served under a URL that changes with their content."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manor.auth import PUBLIC
from manor.errors import ManorError, NotFound
from manor.routing import Api, Reply, Request, Route

LARGEST_FILE = 4 << 20
LARGEST_FOLDER = 16 << 20

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}

# No places: a browser that sends a Basic credential everywhere is not refused its style sheet.
STATIC = Api("static", places=())
"""Static files; open to all."""

_KEPT_FOR_EVER = "public, max-age=31536000, immutable"


class UnfitFolder(ManorError):
    """A folder that cannot be served as static files."""


@dataclass(frozen=True)
class _File:
    body: bytes
    content_type: str
    is_compressed: bool
    etag: str


class Assets:
    """The static files of one owner, at `/static/<owner>/<hash>/<path in the folder>`.

    What is served is what was there at the start: a request names a file of that list, so no path leads out of the
    folder. Files and folders whose name begins with a dot are left out. A file `x.js.gz` is served as `x.js`,
    compressed for clients that take it.

    Args:
        owner: The plugin's name, or `core`.
        folder: Where the files are.

    Raises:
        UnfitFolder: A file is over 4 MiB, all together are over 16 MiB, or a link leads out of the folder.
    """

    def __init__(self, owner: str, folder: Path) -> None:
        self.owner = owner
        self._files = _read(folder)
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(f"{name}\0{file.etag}\0".encode())
        self.version = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """The path of a file, such as `vendor/swagger-ui.css`.

        Raises:
            KeyError: There is no such file.
        """
        self._files[name]
        return f"/static/{self.owner}/{self.version}/{name}"

    def body(self, name: str) -> bytes:
        """A file's content, as it is kept.

        Raises:
            KeyError: There is no such file.
        """
        return self._files[name].body

    @property
    def names(self) -> list[str]:
        """All files, as paths in the folder."""
        return list(self._files)

    def routes(self) -> list[Route]:
        """Routes for all files: one for each depth of folders that is in use."""
        depths = sorted({name.count("/") + 1 for name in self._files})
        return [self._route(depth) for depth in depths]

    def _route(self, depth: int) -> Route:
        parts = "/".join(f"{{part{number + 1}}}" for number in range(depth))
        path = f"/static/{self.owner}/{{version}}/{parts}"
        return Route("GET", path, self._serve, api=STATIC, access=PUBLIC, summary="A static file.")

    def _serve(self, request: Request) -> Reply:
        parts = [value for name, value in request.params.items() if name.startswith("part")]
        file = self._files.get("/".join(parts))
        if file is None or request.params["version"] != self.version or any("/" in part for part in parts):
            raise NotFound("There is no such file")
        headers = {"Cache-Control": _KEPT_FOR_EVER, "ETag": file.etag}
        if file.is_compressed:
            headers["Vary"] = "Accept-Encoding"
        if file.etag in (request.headers.get("if-none-match") or ""):
            return Reply(b"", 304, "", headers)
        if not file.is_compressed:
            return Reply(file.body, 200, file.content_type, headers)
        if _takes_gzip(request.headers.get("accept-encoding") or ""):
            return Reply(file.body, 200, file.content_type, headers | {"Content-Encoding": "gzip"})
        return Reply(gzip.decompress(file.body), 200, file.content_type, headers)


def core_assets() -> Assets:
    """The core's own files: the API's documentation and what it is made of."""
    return Assets("core", Path(__file__).parent / "static")


ICON = "icon.svg"
_ROBOTS = b"User-agent: *\nDisallow: /\n"
_KEPT_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


def site_routes(assets: Assets) -> list[Route]:
    """What browsers and crawlers ask every site for; without these the requests would reach `/{topic}`."""

    def favicon(request: Request) -> Reply:
        """The icon of the house."""
        return Reply(assets.body(ICON), 200, _TYPES[".svg"], _KEPT_FOR_A_DAY)

    def robots(request: Request) -> Reply:
        """Nothing here is for search engines: people's messages least of all."""
        return Reply(_ROBOTS, 200, _TYPES[".txt"], _KEPT_FOR_A_DAY)

    return [
        Route("GET", "/favicon.ico", favicon, api=STATIC, access=PUBLIC),
        Route("GET", "/robots.txt", robots, api=STATIC, access=PUBLIC),
    ]


def _read(folder: Path) -> Mapping[str, _File]:
    found = sorted(folder.rglob("*"))
    return _read_as_they_are(folder, tuple((path, path.lstat().st_mtime_ns, path.lstat().st_size) for path in found))


@functools.lru_cache(maxsize=32)
def _read_as_they_are(folder: Path, state: tuple[tuple[Path, int, int], ...]) -> Mapping[str, _File]:
    """The files of a folder in this state: a process that opens many houses (tests) reads and digests them once."""
    root = folder.resolve()
    files: dict[str, _File] = {}
    total = 0
    for path, _, _ in state:
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or any(part.startswith(".") for part in name.split("/")):
            continue
        if not path.resolve().is_relative_to(root):
            raise UnfitFolder(f"{path}: leads out of {folder}")
        size = path.stat().st_size
        total += size
        if size > LARGEST_FILE or total > LARGEST_FOLDER:
            raise UnfitFolder(f"{path}: over {LARGEST_FILE >> 20} MiB, or {LARGEST_FOLDER >> 20} MiB with the others")
        files[name.removesuffix(".gz")] = _file(name, path.read_bytes())
    return files


def _file(name: str, body: bytes) -> _File:
    is_compressed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    content_type = _TYPES.get(suffix, "application/octet-stream")
    return _File(body, content_type, is_compressed, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _takes_gzip(accepted: str) -> bool:
    for item in accepted.lower().split(","):
        coding, _, quality = item.partition(";")
        if coding.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
