"""Measure what taking a broadcast costs, beside nginx with its RTMP module, which takes the same one at the same time.

Run it as `python -m bench.rtmp` from the project's root, in its virtual environment; needs ffmpeg, nginx and Debian's
libnginx-mod-rtmp. README.md says how to read it.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.processes import cpu_seconds, free_port, port_of, resident_kib, running
from bench.reports import keep

SETTLE_SECONDS = 3
"""An encoder begins with a burst."""

# One process and no master, so that its time is all of it.
_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size {chunk_size}; application live {{ live on; }} }} }}
"""


def main() -> int:
    """Measure each bitrate; the exit status is 1 when an encoder was cut off."""
    options = _options()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="manor-bench-") as folder:
        for megabits in options.mbit:
            film = _film(Path(folder), megabits, options.seconds + 2 * SETTLE_SECONDS)
            rows += _measured(folder, film, megabits, options.seconds, options.chunk_size)
    for row in rows:
        print(f"{row['mbit']:>5} Mbit/s  {row['server']:10} {row['cpu_percent']:.2f} % of a core, {row['rss_mib']} MiB")
    keep(options.name, "bench.rtmp", rows)
    return 0 if all(row["is_whole"] for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="write bench/results/NAME.json; without it nothing is written")
    parser.add_argument("--seconds", type=int, default=25, help="of measuring")
    parser.add_argument("--mbit", type=float, nargs="+", default=[6.0], help="bitrates of the broadcast")
    parser.add_argument("--chunk-size", type=int, default=4096, help="bytes; OBS takes 4096")
    return parser.parse_args()


def _film(folder: Path, megabits: float, seconds: int) -> Path:
    """H.264 of a constant bitrate, encoded before anything is measured."""
    film = folder / f"{megabits:g}.flv"
    rate = f"{megabits * 1000:g}k"
    picture = "testsrc2=size=1280x720:rate=30,noise=alls=30:allf=t"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=sample_rate=44100"]
    command += ["-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p"]
    command += ["-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate, "-x264-params", "nal-hrd=cbr"]
    subprocess.run([*command, "-c:a", "aac", "-b:a", "128k", "-f", "flv", str(film)], check=True)
    return film


def _measured(folder: str, film: Path, megabits: float, seconds: int, chunk_size: int) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        ours = stack.enter_context(running(sys.executable, "-m", "bench.rtmp_daemon", str(chunk_size)))
        ports = {"manor": port_of(ours), "nginx-rtmp": free_port()}
        config = Path(folder) / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=ports["nginx-rtmp"], chunk_size=chunk_size))
        nginx = stack.enter_context(running("nginx", "-p", folder, "-c", str(config)))
        _wait_for(ports["nginx-rtmp"])
        servers = {"manor": ours.pid, "nginx-rtmp": nginx.pid}
        encoders = [
            stack.enter_context(running(*_publish(film, f"rtmp://127.0.0.1:{port}/live/bench")))
            for port in ports.values()
        ]
        time.sleep(SETTLE_SECONDS)
        before = {name: cpu_seconds(pid) for name, pid in servers.items()}
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        is_whole = all(encoder.poll() is None for encoder in encoders)
        return [
            {
                "mbit": megabits,
                "chunk_size": chunk_size,
                "server": name,
                "cpu_percent": round(100 * (cpu_seconds(pid) - before[name]) / took, 2),
                "rss_mib": resident_kib(pid) >> 10,
                "seconds": round(took, 1),
                "is_whole": is_whole,
                "megabytes": round(film.stat().st_size / 1e6, 1),
            }
            for name, pid in servers.items()
        ]


def _publish(film: Path, url: str) -> list[str]:
    return ["ffmpeg", "-v", "error", "-re", "-i", str(film), "-c", "copy", "-f", "flv", url]


def _wait_for(port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


if __name__ == "__main__":
    sys.exit(main())
