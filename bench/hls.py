"""Measure what players fetch: segments and playlists a second, beside nginx that serves the same bytes from files.

Run it as `python -m bench.hls` from the project's root, in its virtual environment; needs nginx and wrk. README.md says
how to read it. Each round measures every server once, one after the other, so that all have the same machine.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tomli_w

from bench.hls_daemon import PLAYLIST, SEGMENT
from bench.loads import LOAD_CORE, Figures
from bench.processes import Target, cpu_seconds, free_port, port_of, running
from bench.reports import keep
from bench.server import READY_WITHIN, SERVER_CORE, quiet

CONNECTIONS = 8

# One process and no master, so that its time is all of it.
_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  types {{ video/mp2t ts; application/x-mpegURL m3u8; }}
  proxy_cache_path {folder}/cache keys_zone=video:1m max_size=1g inactive=2m;
  upstream manor {{ server 127.0.0.1:{daemon}; keepalive 16; }}
  server {{ listen 127.0.0.1:{files}; root {folder}/files; }}
  server {{
    listen 127.0.0.1:{cached};
    proxy_http_version 1.1; proxy_set_header Connection "";
    location / {{ proxy_pass http://manor; }}
    location ~ ^/hls/[0-9]+/[^/]+\\.ts$ {{
      proxy_pass http://manor; proxy_cache video; proxy_cache_key $uri; proxy_cache_lock on;
    }}
  }}
}}
"""


def main() -> int:
    """Measure; the exit status is 1 when a server answered anything but 200."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="manor-bench-", dir=options.scratch) as folder, servers(folder) as targets:
        # The proxy's cache has the segment from here on; playlists it never keeps.
        _bodies_are_equal(targets)
        results = [
            measured(target, path, kind, options.seconds)
            for _ in range(options.rounds)
            for kind, path in (("segments", SEGMENT), ("playlists", PLAYLIST))
            for target in targets
        ]
    figures = _medians(results)
    for row in figures:
        print(_row(row))
    versions = {"nginx": _said("nginx", "-v"), "wrk": _said("wrk", "-v")}
    keep(options.name, "bench.hls", figures, versions=versions, rounds=results)
    return 1 if any(result["errors"] for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="write bench/results/NAME.json; without it nothing is written")
    parser.add_argument("--seconds", type=int, default=4, help="of load for each figure")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the median counts")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where nginx's files go")
    return parser.parse_args()


# --- The servers -----------------------------------------------------------------------------------------------------


@contextmanager
def servers(folder: str) -> Iterator[list[Target]]:
    config = Path(folder) / "config.toml"
    limits = {"connections": 20_000, "connections_per_address": 20_000, "address_limit_factor": 0}
    server = {"data_dir": f"{folder}/data", "pin_cpu": False, "limits": limits}
    config.write_text(tomli_w.dumps({"server": server, "plugins": {"stream": {"enabled": True, "rtmp_bind": ""}}}))
    with running(sys.executable, "-m", "bench.hls_daemon", str(config), core=SERVER_CORE) as daemon:
        port = port_of(daemon)
        files, cached = free_port(), free_port()
        for path in (SEGMENT, PLAYLIST):
            kept = Path(f"{folder}/files{path}")
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(_fetched(port, path))
        nginx_config = Path(folder) / "nginx.conf"
        nginx_config.write_text(_NGINX.format(folder=folder, files=files, cached=cached, daemon=port))
        with running("nginx", "-p", folder, "-c", str(nginx_config), core=SERVER_CORE) as nginx:
            yield [
                Target("daemon", port, daemon.pid),
                Target("nginx, files", files, nginx.pid),
                Target("nginx, cache of the daemon", cached, nginx.pid),
            ]


def _fetched(port: int, path: str) -> bytes:
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _bodies_are_equal(targets: list[Target]) -> None:
    for path in (SEGMENT, PLAYLIST):
        assert len({_fetched(target.port, path) for target in targets}) == 1, f"{path} differs"


# --- Measuring -------------------------------------------------------------------------------------------------------


def measured(target: Target, path: str, kind: str, seconds: int) -> Figures:
    before, loading, began = cpu_seconds(target.pid), _children_seconds(), time.perf_counter()
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{target.port}{path}"]
    with quiet() as busy:
        said = subprocess.run(
            ["taskset", "-c", str(LOAD_CORE), *load], check=True, capture_output=True, text=True, timeout=120
        ).stdout
    took, cpu = time.perf_counter() - began, cpu_seconds(target.pid) - before
    load_cpu = (_children_seconds() - loading) / took
    answered = int(_found(r"(\d+) requests in", said))
    return {
        "what": kind,
        "server": target.name,
        "per_s": float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        "cpu_us_each": round(cpu / answered * 1e6, 1),
        "server_cpu": round(cpu / took, 2),
        "loadgen_cpu": round(load_cpu, 2),
        "others": round(max(0.0, busy[0] - cpu / took - load_cpu), 2),
        "errors": sum(int(count) for count in re.findall(r"(?:Non-2xx or 3xx responses:|timeout) (\d+)", said)),
    }


def _children_seconds() -> float:
    """What processes used that were started here and have ended, as wrk."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _medians(results: list[Figures]) -> list[Figures]:
    figures = []
    for kind, server in dict.fromkeys((result["what"], result["server"]) for result in results):
        rounds = [result for result in results if (result["what"], result["server"]) == (kind, server)]
        beside = [result for result in results if (result["what"], result["server"]) == (kind, "nginx, files")]
        figures.append(
            {
                "what": kind,
                "server": server,
                "per_s": round(statistics.median(result["per_s"] for result in rounds)),
                "cpu_us_each": statistics.median(result["cpu_us_each"] for result in rounds),
                # Of the same round each: what else the machine did then, it did to both.
                "of_nginx": round(
                    statistics.median(a["per_s"] / b["per_s"] for a, b in zip(rounds, beside, strict=True)), 3
                ),
            }
        )
    return figures


def _row(row: Figures) -> str:
    rate = f"{row['per_s']:>8,} a second, {row['of_nginx']:.3f} of nginx"
    return f"{row['what']:10} {row['server']:28} {rate}; {row['cpu_us_each']:.0f} us CPU each"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr + done.stdout).partition("\n")[0].strip()


if __name__ == "__main__":
    sys.exit(main())
