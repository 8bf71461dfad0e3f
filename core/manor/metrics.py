"""What the daemon counts about itself, for `/metrics`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from manor.errors import ManorError

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what `Metrics.render` returns."""

C = TypeVar("C", bound=Collector)

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets for things that should take milliseconds."""


class Metrics:
    """Makes counters, gauges and histograms, and renders them all; one per house, so that houses share nothing.

    Make each metric once, when the plugin is made, and keep it: making looks it up, `inc()` takes a microsecond. Label
    values are kept for ever, so none of them may be a client's text.

    Args:
        registry: Holds the metrics; a new one, with those of the process, when not given.
        prefix: Goes before every name.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, prefix: str = "manor") -> None:
        self._prefix = prefix
        self._registry = registry or _process_registry()

    def for_plugin(self, name: str) -> Metrics:
        """The same metrics with `manor_<plugin>_` before every name."""
        return Metrics(self._registry, prefix=f"{self._prefix}_{name.replace('-', '_')}")

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        """Something that only grows; it is shown with `_total` behind its name.

        Args:
            name: In the field's words, with its unit: `messages`, `sent_bytes`.
            meaning: One sentence for the admin.
            labels: Names of labels.

        Raises:
            ManorError: The name is taken.
        """
        with self._naming(name):
            return Counter(name, meaning, labels, namespace=self._prefix, registry=self._registry)

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        """Something that goes up and down; arguments and errors as for `counter`."""
        with self._naming(name):
            return Gauge(name, meaning, labels, namespace=self._prefix, registry=self._registry)

    def histogram(
        self, name: str, meaning: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        """How large things are; arguments and errors as for `counter`, `buckets` are upper bounds."""
        with self._naming(name):
            return Histogram(name, meaning, labels, namespace=self._prefix, registry=self._registry, buckets=buckets)

    def collect(self, make: Callable[[str], C]) -> C:
        """Have something show its own metrics: what is counted with every request is too often for a counter's lock.

        Args:
            make: Makes it, of what goes before every name.
        """
        made = make(self._prefix)
        self._registry.register(made)
        return made

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def families(self) -> dict[str, str]:
        """Each metric's name, without the endings of its series, and what it means: for docs."""
        return {family.name: family.documentation for family in self._registry.collect()}

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise ManorError(f"the metric '{self._prefix}_{name}' cannot be made: {error}") from error


def _process_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class RequestCounts(Collector):
    """Requests that were answered, by plain numbers on the loop; a scrape makes metrics of them.

    Args:
        prefix: Goes before the metrics' names.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._answered: dict[tuple[str, str, int], int] = {}
        self._lasted: dict[str, tuple[list[int], list[float]]] = {}

    def note(self, api: str, method: str, status: int, seconds: float) -> None:
        """Count one; see `CoreMetrics.note_request`."""
        key = api, method if method in _METHODS else "other", status // 100
        self._answered[key] = self._answered.get(key, 0) + 1
        lasted = self._lasted.get(api)
        if lasted is None:
            lasted = self._lasted[api] = [0] * (len(SECONDS) + 1), [0.0]
        buckets, total = lasted
        buckets[bisect_left(SECONDS, seconds)] += 1
        total[0] += seconds

    def collect(self) -> Iterator[Metric]:
        """Both metrics, as they are now."""
        requests = CounterMetricFamily(
            f"{self._prefix}_requests",
            "Requests answered; status is the class, such as 2xx.",
            labels=("api", "method", "status"),
        )
        for (api, method, status), count in self._answered.items():
            requests.add_metric((api, method, f"{status}xx"), count)
        yield requests
        lasting = HistogramMetricFamily(
            f"{self._prefix}_request_seconds",
            "From a request's head to the end of its answer; a stream's whole life.",
            labels=("api",),
        )
        bounds = [*map(str, SECONDS), "+Inf"]
        for api, (buckets, total) in self._lasted.items():
            lasting.add_metric((api,), list(zip(bounds, accumulate(buckets), strict=True)), total[0])
        yield lasting


class CoreMetrics:
    """The core's own metrics, all of them; `docs/reference/metrics.md` lists them.

    Args:
        metrics: Where they are made.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.requests = metrics.collect(RequestCounts)
        self.connections = metrics.gauge("connections", "Connections that are open.")
        self.live_outlets = metrics.gauge("live_outlets", "Streams and WebSockets that hear channels.")
        self.stream_process_lines = metrics.gauge(
            "stream_process_lines", "Streams and WebSockets that other processes of the daemon write to."
        )
        self.live_too_slow = metrics.counter(
            "live_too_slow", "Streams and WebSockets that were closed because their clients read too slowly."
        )
        self.writer_batch_units = metrics.histogram(
            "writer_batch_units",
            "Units of work that shared one commit.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 200),
        )
        self.writer_commit_seconds = metrics.histogram(
            "writer_commit_seconds", "Time of one commit, the disk's answer included."
        )
        self.outbox_rows = metrics.gauge("outbox_rows", "Rows of the outbox; state is waiting or dead.", ("state",))
        self.outbox_attempts = metrics.counter(
            "outbox_attempts", "Attempts at deliveries; outcome is done, failed or dead.", ("outcome",)
        )
        self.events_dropped = metrics.counter(
            "events_dropped", "Events that a slow LIVE subscriber never got.", ("plugin", "event")
        )
        self.inline_faults = metrics.counter(
            "inline_faults", "INLINE handlers that raised, which none may.", ("plugin", "event")
        )
        self.loop_lag_seconds = metrics.histogram(
            "loop_lag_seconds", "How long the loop took to answer a call from outside."
        )

    def note_request(self, api: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request.

        Args:
            api: The route's API, or the one in whose dialect a path without a route was answered.
            method: As the client sent it: words that are no methods of ours count as one, since labels are for ever.
            status: Of the answer; 101 for a WebSocket.
            seconds: From the head to the end.
        """
        self.requests.note(api, method, status, seconds)

    def note_batch(self, units: int, seconds: float) -> None:
        """Count one commit of the writer: how many units shared it, and how long it took."""
        self.writer_batch_units.observe(units)
        self.writer_commit_seconds.observe(seconds)
