"""nchan beside the daemon: nginx's module for publishers and subscribers, which keeps its messages in memory."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Target, free_port, running
from bench.scenarios import Speech
from bench.server import READY_WITHIN, SERVER_CORE

NCHAN = Speech(
    ["--pub-path", "/pub/{t}"],
    {"sse": ["--sub", "sse", "--sub-path", "/sub/{t}"], "websocket": ["--sub", "ws", "--sub-path", "/sub/{t}"]},
)

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
"""Where Debian has it."""

# A thousand messages are kept of a channel, so that nobody who is slow for a moment loses any.
_NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {folder}/nginx.pid; error_log {folder}/log error;
load_module {module};
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 512M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/pub/([a-z0-9]+)$ {{
      nchan_publisher http; nchan_channel_id $1; nchan_message_buffer_length 1000; nchan_message_timeout 10m;
    }}
    location ~ ^/sub/([a-z0-9]+)$ {{
      nchan_subscriber eventsource websocket; nchan_channel_id $1; nchan_subscriber_first_message newest;
    }}
  }}
}}
"""


def why_no_nchan(module: Path) -> str:
    """Why it cannot be measured; "" when it can."""
    if shutil.which("nginx") is None or not module.exists():
        return (
            "nchan is not installed (Debian: apt-get install nginx-light libnginx-mod-nchan): it does not stand beside"
        )
    return ""


@contextmanager
def nchan(module: Path) -> Iterator[Target]:
    """One with nothing in it, on the daemon's core; it ends with the block.

    Args:
        module: The file that nginx loads.

    Raises:
        RuntimeError: It does not listen; with what it says.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="manor-bench-") as folder:
        config = Path(folder) / "nginx.conf"
        log = Path(folder) / "log"
        config.write_text(_NGINX.format(folder=folder, port=port, module=module))
        with running("nginx", "-p", folder, "-e", str(log), "-c", str(config), core=SERVER_CORE) as process:
            deadline = time.monotonic() + READY_WITHIN
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"nchan does not listen: {log.read_text()[-1000:]}")
                time.sleep(0.02)
            yield Target("nchan", port, process.pid)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
