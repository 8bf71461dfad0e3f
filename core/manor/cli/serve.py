"""`manor serve`: run the daemon."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from manor.cli.options import config_option


@click.command()
@config_option
@click.pass_context
def serve(ctx: click.Context, config: Path | None) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    Without a configuration it listens on 127.0.0.1:8080 and keeps its data in ./data.
    """
    # Held back by the kernel until the daemon listens to signals: until then a SIGHUP would end the process.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        from manor.daemon.running import serve as run_daemon

        status = run_daemon(config)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    ctx.exit(status)
