"""The part that lets encoders in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from manor import BackgroundTask, HealthCheck, Part, TcpBind
from manor_stream.ingest.counting import IngestMetrics
from manor_stream.ingest.encoder import Encoder, Reception
from manor_stream.ingest.listener import Listener
from manor_stream.parts import Shared


class Ingest(Part):
    """Listens for encoders.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._reception = Reception(
            check_key=shared.key_check.check,
            broadcasts=shared.broadcasts,
            logbook=shared.logbook,
            limits=shared.context.limits,
            counted=IngestMetrics(shared.context.metrics),
            most_bits=shared.config.max_broadcast_mbit * 1_000_000,
        )
        self._listener = Listener(self._serve, shared.logbook, shared.context.log)

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Hosts and ports that encoders can connect to now."""
        return self._listener.addresses

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """The listener, if there is to be one."""
        bind = self._shared.config.rtmp_address
        return [] if bind is None else [BackgroundTask("rtmp", partial(self._listen, bind), ready=True)]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Whether encoders can connect."""
        return [HealthCheck("rtmp", self._check)]

    async def _listen(self, bind: TcpBind, *, task_status: trio.TaskStatus[None]) -> None:
        # Read once: what an administrator sets counts from the next start on.
        port = self._shared.settings.now.rtmp_server_port
        said_by = "the RTMP port that an administrator set" if port else "plugins.stream.rtmp_bind"
        await self._listener.run(bind.host, port or bind.port, said_by=said_by, task_status=task_status)

    async def _serve(self, stream: trio.SocketStream, address: str) -> None:
        await Encoder(stream, address, self._reception).serve()

    async def _check(self) -> str | None:
        return self._listener.trouble
