from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from manor.errors import ManorError
from manor.metrics import CoreMetrics, Metrics

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
CORES = PAGE.read_text().partition("## The core's")[2].partition("\n## ")[0]


def test_the_reference_lists_the_cores_metrics_with_their_meaning_and_no_other() -> None:
    rows = re.findall(r"^\| `(manor_\w+)` \|[^|]+\|[^|]*\| (.+) \|$", CORES, re.MULTILINE)
    metrics = Metrics()
    CoreMetrics(metrics)

    assert dict(rows) == {name: text for name, text in metrics.families().items() if name.startswith("manor_")}


def test_the_reference_lists_each_metrics_labels() -> None:
    rows = re.findall(r"^\| `manor_(\w+)` \| (\w+) \| ([^|]*)\|", CORES, re.MULTILINE)
    core = CoreMetrics(Metrics())
    counted = {family.name.removeprefix("manor_"): family for family in core.requests.collect()}

    for name, kind, labels in rows:
        metric: Any = counted.get(name) or getattr(core, name)
        shown = metric.type if name in counted else type(metric).__name__.lower()
        assert (shown, tuple(re.findall(r"\w+", labels))) == (kind, metric._labelnames)


def test_requests_are_counted_and_their_seconds_put_in_buckets() -> None:
    metrics = Metrics()
    core = CoreMetrics(metrics)
    for method, status, seconds in (("GET", 200, 0.001), ("GET", 204, 0.002), ("BREW", 405, 60.0)):
        core.note_request("bells", method, status, seconds)

    lines = set(metrics.render().decode().splitlines())
    assert {
        'manor_requests_total{api="bells",method="GET",status="2xx"} 2.0',
        'manor_requests_total{api="bells",method="other",status="4xx"} 1.0',
        'manor_request_seconds_bucket{api="bells",le="0.001"} 1.0',
        'manor_request_seconds_bucket{api="bells",le="0.0025"} 2.0',
        'manor_request_seconds_bucket{api="bells",le="10.0"} 2.0',
        'manor_request_seconds_bucket{api="bells",le="+Inf"} 3.0',
        'manor_request_seconds_count{api="bells"} 3.0',
        'manor_request_seconds_sum{api="bells"} 60.003',
    } <= lines


def test_two_houses_count_apart() -> None:
    one, other = Metrics(), Metrics()
    CoreMetrics(one).connections.set(3)
    CoreMetrics(other).connections.set(4)

    assert b"\nmanor_connections 3.0\n" in one.render()
    assert b"\nmanor_connections 4.0\n" in other.render()


def test_a_plugins_metrics_bear_its_name() -> None:
    metrics = Metrics()
    metrics.for_plugin("door-bell").counter("rings", "Bells that were pressed.", ("door",)).labels("front").inc()

    assert b'\nmanor_door_bell_rings_total{door="front"} 1.0\n' in metrics.render()


def test_a_name_that_is_taken_is_a_fault_that_names_it() -> None:
    metrics = Metrics()
    CoreMetrics(metrics)
    with pytest.raises(ManorError, match="'manor_outbox_rows' cannot be made"):
        metrics.for_plugin("outbox").gauge("rows", "Mine.")


def test_requests_are_counted_by_api_method_and_class_of_status() -> None:
    metrics = Metrics()
    core = CoreMetrics(metrics)
    for method, status in (("GET", 200), ("GET", 204), ("POST", 422), ("PROPFIND", 405), ("BREW", 405)):
        core.note_request("notifer", method, status, 0.003)

    text = metrics.render().decode()
    counts = re.findall(
        r'^manor_requests_total{api="notifer",method="(\w+)",status="(\w+)"} (\S+)$', text, re.MULTILINE
    )
    assert counts == [("GET", "2xx", "2.0"), ("POST", "4xx", "1.0"), ("other", "4xx", "2.0")]
    assert b'manor_request_seconds_count{api="notifer"} 5.0' in metrics.render()


def test_commits_are_counted_by_size_and_time() -> None:
    metrics = Metrics()
    CoreMetrics(metrics).note_batch(16, 0.002)

    text = metrics.render().decode()
    assert 'manor_writer_batch_units_bucket{le="16.0"} 1.0' in text
    assert "manor_writer_commit_seconds_sum 0.002" in text


def test_the_process_is_measured_too() -> None:
    assert b"\nprocess_resident_memory_bytes " in Metrics().render()
