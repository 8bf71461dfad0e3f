"""What ingest counts for `/metrics`."""

from __future__ import annotations

from manor import Metrics


class IngestMetrics:
    """Made once, with the plugin.

    Args:
        metrics: Where they are made.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._received = metrics.counter("received_bytes", "Bytes that publishing encoders sent.")
        self._refused = metrics.counter(
            "refused_encoders",
            "Encoders that were sent away; reason is key, guesses, busy, crowd, slow, fast, protocol or unplayable.",
            ("reason",),
        )

    def note_received(self, size: int) -> None:
        """So many bytes came from an encoder that publishes."""
        self._received.inc(size)

    def note_refused(self, reason: str) -> None:
        """An encoder was sent away; `reason` is one of those in the metric's own description."""
        self._refused.labels(reason).inc()
