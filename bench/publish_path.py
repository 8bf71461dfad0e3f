"""Measure what one publish costs inside the house, by thread: the dispatcher is driven directly, as a door does it.

Run it as `taskset -c 0 python -m bench.publish_path` from the project's root, in its virtual environment. There is no
socket and no load generator in it, so that what it says of two versions differs by their code alone. Believe the best
of its rounds, and compare figures of one run.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median

import tomli_w
import trio

from bench.reports import keep
from manor import NewCredential, NewUser, Transaction, add_user, issue
from manor.config import load
from manor.daemon.running import GARBAGE
from manor.house import House, open_house
from manor.routing import Head, Headers, Later, Reply
from manor_topics.creating import add, new_topic

SENT = [
    (b"host", b"127.0.0.1:8080"),
    (b"user-agent", b"loadgen"),
    (b"x-title", b"bench"),
    (b"x-priority", b"3"),
    (b"x-tags", b"a,b"),
    (b"content-length", b"100"),
]
BODY = b"x" * 100
KEYS = 100
"""Of whoever publishes with keys: one of them may ask 1,200 times a minute."""

MANY = 100_000_000
WRITER = "manor-writer"


def main() -> None:
    """Measure, and print a line."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="manor-bench-", dir=options.scratch) as folder:
        figures = trio.run(_measure, Path(folder), options)
    print("  ".join(f"{name} {value:.1f}" for name, value in figures.items()))
    keep(options.name, "bench.publish_path", [figures])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="write bench/results/NAME.json; without it nothing is written")
    parser.add_argument("--connections", type=int, default=64, help="publishes in flight")
    parser.add_argument("--keys", action="store_true", help="publish with API keys, on a plan that counts")
    parser.add_argument(
        "--publishes", type=int, default=5000, help="of one round; with keys as many as their rates allow"
    )
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    return parser.parse_args()


async def _measure(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    config = folder / "config.toml"
    limits = {"connections_per_address": MANY, "address_limit_factor": 0}
    plan = {"daily_messages": MANY, "publish_per_minute": MANY}
    server = {"data_dir": str(folder / "data"), "pin_cpu": False, "limits": limits}
    config.write_text(tomli_w.dumps({"server": server, "tiers": {"FREE": plan}}))
    async with open_house(load(config, os.environ)) as house:
        path, heads = b"/welcome", [SENT]
        if options.keys:
            keys = await house.storage.write(_keys)
            path, heads = b"/mine", [[*SENT, (b"authorization", f"Bearer {key}".encode())] for key in keys]
        await _publish(house, path, heads, 2000, options.connections)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        rounds = [
            await _round(house, path, heads, options.publishes, options.connections) for _ in range(options.rounds)
        ]
    best = min(rounds)
    return {
        "microseconds": best[0],
        "median": median(each[0] for each in rounds),
        "loop": min(each[1] for each in rounds),
        "writer": min(each[2] for each in rounds),
        "a_second": max(each[3] for each in rounds),
    }


def _keys(transaction: Transaction) -> list[str]:
    """Keys of somebody who has a private topic."""
    new = NewUser(username="bench", email="bench@example.org", tier="FREE", password_hash=None, is_verified=True)
    user = add_user(transaction, new)
    add(transaction, new_topic("mine", owner_id=user.id, access_level="private", now=transaction.now))
    keys = [f"noti_{number:040d}" for number in range(KEYS)]
    for key in keys:
        issue(transaction, NewCredential(kind="api_key", user_id=user.id, scopes=("*",)), key)
    return keys


async def _round(
    house: House, path: bytes, heads: list[list[tuple[bytes, bytes]]], publishes: int, most: int
) -> tuple[float, float, float, float]:
    """Microseconds of CPU a publish: all, the loop's, the writer's; and publishes a second."""
    writer = next(thread for thread in threading.enumerate() if thread.name == WRITER)
    assert writer.ident is not None, "it runs"
    its_clock = time.pthread_getcpuclockid(writer.ident)
    before = time.process_time(), time.thread_time(), time.clock_gettime(its_clock), time.perf_counter()
    await _publish(house, path, heads, publishes, most)
    after = time.process_time(), time.thread_time(), time.clock_gettime(its_clock), time.perf_counter()
    everything, loop, written, seconds = (end - start for start, end in zip(before, after, strict=True))
    each = 1e6 / publishes
    return everything * each, loop * each, written * each, publishes / seconds


async def _publish(
    house: House, path: bytes, heads: list[list[tuple[bytes, bytes]]], publishes: int, most: int
) -> None:
    """Publish, with so many in flight at the most."""
    begun = ended = 0
    answered: list[Later] = []
    arrived = trio.Event()

    def note(later: Later) -> None:
        answered.append(later)
        arrived.set()

    while ended < publishes:
        while begun - ended < most and begun < publishes:
            begun += 1
            head = Head("POST", path, b"", Headers(list(heads[begun % len(heads)])), "127.0.0.1", request_id="bench")
            call = house.dispatcher.begin(head)
            refusal = await call.admit()
            answer = refusal or await call.answer_later(BODY)
            if isinstance(answer, Later):
                answer.then(partial(note, answer))
            else:
                _check(answer)
                ended += 1
        if ended < publishes and not answered:
            arrived = trio.Event()
            await arrived.wait()
        for later in answered:
            _check(later.take())
        ended += len(answered)
        answered.clear()


def _check(answer: object) -> None:
    if not isinstance(answer, Reply) or answer.status != 200:
        raise RuntimeError(f"a publish was answered with {answer}")


if __name__ == "__main__":
    main()
