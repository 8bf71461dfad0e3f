"""The house opens for the good and tells of the bad: whose fault decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
import trio

from manor import (
    PUBLIC,
    Api,
    BackgroundTask,
    Command,
    Delivery,
    Event,
    HealthCheck,
    Job,
    Migration,
    PluginContext,
    Request,
    Route,
    Subscription,
    Transaction,
    hookimpl,
)
from manor.commands import Purge
from manor.config import load
from manor.discovery import Found, State
from manor.errors import AdminFault, NotFound
from manor.house import House, Phase, open_house
from manor.lock import HouseIsOpen
from manor.testing import Client

GREET = Api("greet")


class Greeting(msgspec.Struct):
    word: str


class Greeted(Event, frozen=True):
    name: ClassVar[str] = "good.greeted"
    word: str


class Good:
    """A plugin without a fault: what the others must not disturb."""

    enabled_by_default = True

    def __init__(self, context: PluginContext) -> None:
        self.context = context
        self.heard: list[str] = []

    @hookimpl
    def manor_routes(self) -> list[Route]:
        return [Route("GET", "/hello", self.hello, api=GREET, access=PUBLIC, returns=Greeting)]

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        return [Greeted]

    async def hello(self, request: Request) -> Greeting:
        """Say hello, on the record."""
        await self.context.storage.write(lambda transaction: transaction.emit(Greeted(word="hello")))
        return Greeting("hello")


def bad(**members: Any) -> type[Any]:
    """A plugin class that is on by default, with hooks as given."""

    def make(self: Any, context: PluginContext) -> None:
        self.context = context

    hooks = {key: hookimpl(value) if key.startswith("manor_") else value for key, value in members.items()}
    return type("Bad", (), {"__init__": make, "enabled_by_default": True, **hooks})


def found(name: str, kind: type[Any]) -> Found:
    return Found(name, "a test", lambda: kind)


@asynccontextmanager
async def opened(folder: Path, *more: Found, config: str = "", **options: Any) -> AsyncIterator[House]:
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(config)
    loaded = load(folder / "config.toml", {}, cwd=folder)
    async with open_house(loaded, found=[found("good", Good), *more], inline=True, **options) as house:
        yield house


def raising(error: Exception) -> Callable[..., Any]:
    def hook(*_: Any) -> Any:
        raise error

    return hook


async def reason_for(folder: Path, kind: type[Any]) -> str:
    """Why a plugin of this kind is quarantined; the house around it opens and serves all the same."""
    async with opened(folder, found("bad", kind)) as house:
        answer = await Client(house.dispatcher).get("/hello")
        assert (answer.status, answer.json()) == (200, {"word": "hello"})
        ready = (await Client(house.dispatcher).get("/readyz")).json()
        culprit = next(plugin for plugin in house.plugins if plugin.name == "bad")
        assert culprit.state is State.QUARANTINED
        assert ready == {"status": "ready", "degraded": [{"plugin": "bad", "reason": culprit.reason}]}
        return culprit.reason


async def test_a_house_without_a_front_page_leads_to_what_there_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        answer = await Client(house.dispatcher).get("/")

    assert (answer.status, answer.headers["Location"]) == (302, "/docs")


async def test_a_plugin_serves_the_front_page_in_place_of_the_core(tmp_path: Path) -> None:
    kind = bad(
        manor_routes=lambda self: [Route("GET", "/", lambda request: Greeting("home"), api=GREET, access=PUBLIC)]
    )
    async with opened(tmp_path, found("bad", kind)) as house:
        assert (await Client(house.dispatcher).get("/")).json() == {"word": "home"}


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [("/favicon.ico", "image/svg+xml", b"<svg "), ("/robots.txt", "text/plain; charset=utf-8", b"Disallow: /\n")],
)
async def test_what_every_site_is_asked_for_never_reaches_a_plugin(
    tmp_path: Path, path: str, kind: str, content: bytes
) -> None:
    everything = bad(
        manor_routes=lambda self: [Route("GET", "/{name}", raising(RuntimeError("reached")), api=GREET, access=PUBLIC)]
    )
    async with opened(tmp_path, found("bad", everything)) as house:
        answer = await Client(house.dispatcher).get(path)

    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert content in answer.body


HOOKS = [
    "routes",
    "event_types",
    "subscriptions",
    "background_tasks",
    "jobs",
    "migrations",
    "authenticators",
    "scopes",
    "tier_limits",
    "health_checks",
    "commands",
    "lifespan",
    "personal_data",
]


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_plugin_that_raises_in_a_hook_is_quarantined_by_name(tmp_path: Path, hook: str) -> None:
    kind = bad(**{f"manor_{hook}": raising(KeyError("nothing"))})

    assert (await reason_for(tmp_path, kind)).startswith(f"manor_{hook} raised KeyError: 'nothing' (test_house.py:")


async def test_a_plugin_that_raises_while_it_is_made_is_quarantined(tmp_path: Path) -> None:
    kind = bad()
    kind.__init__ = raising(RuntimeError("no bell"))

    assert (await reason_for(tmp_path, kind)).startswith("RuntimeError: no bell (test_house.py:")


async def test_a_plugin_that_cannot_be_imported_is_quarantined(tmp_path: Path) -> None:
    broken = Found("bad", "a test", raising(ImportError("no module named 'bell'")))
    async with opened(tmp_path, broken) as house:
        reason = next(plugin.reason for plugin in house.plugins if plugin.name == "bad")

    assert reason.startswith("import failed: ImportError: no module named 'bell'")


async def test_a_misspelt_hook_is_named(tmp_path: Path) -> None:
    assert "unknown hook 'manor_rotues'" in await reason_for(tmp_path, bad(manor_rotues=lambda self: []))


async def test_a_hook_that_takes_something_is_named(tmp_path: Path) -> None:
    assert "manor_routes" in await reason_for(tmp_path, bad(manor_routes=lambda self, house: []))


async def test_a_hook_that_returns_something_else_is_named(tmp_path: Path) -> None:
    reason = await reason_for(tmp_path, bad(manor_routes=lambda self: ["/hello"]))

    assert reason == "manor_routes returned a list with '/hello', expected Route"


async def test_a_route_without_access_quarantines(tmp_path: Path) -> None:
    kind = bad(manor_routes=lambda self: [Route("GET", "/x", print, api=GREET)])  # type: ignore[call-arg]  # the fault

    assert "missing 1 required keyword-only argument: 'access'" in await reason_for(tmp_path, kind)


async def test_one_route_twice_in_a_plugin_quarantines_it(tmp_path: Path) -> None:
    route = Route("GET", "/x", print, api=GREET, access=PUBLIC)

    assert "GET /x is served twice" in await reason_for(tmp_path, bad(manor_routes=lambda self: [route, route]))


async def test_a_failed_migration_quarantines_and_leaves_nothing(tmp_path: Path) -> None:
    def half(connection: Any) -> None:
        connection.exec_driver_sql("CREATE TABLE bad_things (id INTEGER)")
        connection.exec_driver_sql("CREATE GARBAGE")

    reason = await reason_for(tmp_path, bad(manor_migrations=lambda self: [Migration("0001", half)]))

    assert "0001" in reason
    async with opened(tmp_path / "again", found("bad", bad())) as house:
        tables = await house.storage.read(
            lambda transaction: transaction.connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        )
    assert "bad_things" not in tables


async def test_an_event_under_another_name_quarantines(tmp_path: Path) -> None:
    assert "good.greeted" in await reason_for(tmp_path, bad(manor_event_types=lambda self: [Greeted]))


async def test_a_subscription_that_the_event_cannot_fill_quarantines(tmp_path: Path) -> None:
    class Loudness(msgspec.Struct):
        decibels: int

    async def hear(loudness: Loudness) -> None: ...

    kind = bad(manor_subscriptions=lambda self: [Subscription("good.greeted", Loudness, hear)])

    assert "decibels" in await reason_for(tmp_path, kind)


async def test_a_lifespan_that_fails_quarantines_and_its_routes_answer_503(tmp_path: Path) -> None:
    self_destructs = True

    @asynccontextmanager
    async def fails() -> AsyncIterator[None]:
        if self_destructs:
            raise OSError("no bell wire")
        yield

    kind = bad(
        manor_lifespan=lambda self: fails,
        manor_routes=lambda self: [Route("GET", "/bell", print, api=GREET, access=PUBLIC)],
    )
    async with opened(tmp_path, found("bad", kind)) as house:
        answer = await Client(house.dispatcher).get("/bell")
        reason = next(plugin.reason for plugin in house.plugins if plugin.name == "bad")

    assert reason.startswith("manor_lifespan: OSError: no bell wire")
    assert (answer.status, answer.json()) == (503, {"detail": "The plugin 'bad' is out of order; /readyz says why"})


async def test_a_lifespan_that_breaks_later_takes_nobody_else_down(tmp_path: Path) -> None:
    breaks = trio.Event()

    @asynccontextmanager
    async def later() -> AsyncIterator[None]:
        async def work() -> None:
            await breaks.wait()
            raise OSError("wire cut")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            yield

    async with opened(tmp_path, found("bad", bad(manor_lifespan=lambda self: later))) as house:
        breaks.set()
        await trio.testing.wait_all_tasks_blocked()
        answer = await Client(house.dispatcher).get("/hello")
        reason = next(plugin.reason for plugin in house.plugins if plugin.name == "bad")

    assert answer.status == 200
    assert "wire cut" in reason


async def test_a_task_that_keeps_crashing_is_named_and_the_plugin_goes_on(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def crash() -> None:
        raise OSError("no signal")

    kind = bad(
        manor_background_tasks=lambda self: [BackgroundTask("listen", crash)],
        manor_routes=lambda self: [Route("GET", "/bell", lambda request: Greeting("ding"), api=GREET, access=PUBLIC)],
    )
    async with opened(tmp_path, found("bad", kind)) as house:
        await trio.sleep(60)
        client = Client(house.dispatcher)
        ready = (await client.get("/readyz")).json()
        bell = await client.get("/bell")

    assert bell.status == 200
    assert [entry["plugin"] for entry in ready["degraded"]] == ["bad"]
    assert "the task 'listen'" in ready["degraded"][0]["reason"]
    assert "no signal" in ready["degraded"][0]["reason"]


async def test_a_handler_that_raises_answers_500_without_its_secrets(tmp_path: Path) -> None:
    kind = bad(
        manor_routes=lambda self: [
            Route("GET", "/bell", raising(RuntimeError("password is swordfish")), api=GREET, access=PUBLIC)
        ]
    )
    async with opened(tmp_path, found("bad", kind)) as house:
        answer = await Client(house.dispatcher).get("/bell")

    assert (answer.status, answer.json()) == (500, {"detail": "Internal server error"})


async def test_an_inline_handler_that_raises_is_named_and_the_write_stands(tmp_path: Path) -> None:
    kind = bad(
        manor_subscriptions=lambda self: [
            Subscription("good.greeted", Greeted, raising(ValueError("deaf")), Delivery.INLINE)
        ]
    )
    async with opened(tmp_path, found("bad", kind)) as house:
        client = Client(house.dispatcher)
        answer = await client.get("/hello")
        ready = (await client.get("/readyz")).json()

    assert answer.status == 200
    assert [entry["plugin"] for entry in ready["degraded"]] == ["bad"]
    assert "deaf" in ready["degraded"][0]["reason"]


async def test_a_health_check_that_raises_degrades(tmp_path: Path) -> None:
    async def check() -> str | None:
        raise OSError("no dial tone")

    kind = bad(manor_health_checks=lambda self: [HealthCheck("line", check)])
    async with opened(tmp_path, found("bad", kind)) as house:
        ready = await Client(house.dispatcher).get("/readyz")

    assert ready.status == 200
    assert ready.json()["degraded"][0]["reason"].startswith("line: OSError: no dial tone")


async def test_two_plugins_with_one_route_stop_the_start(tmp_path: Path) -> None:
    kind = bad(manor_routes=lambda self: [Route("GET", "/hello", print, api=GREET, access=PUBLIC)])

    with pytest.raises(AdminFault, match=r"GET /hello is served by both 'good' and 'bad'"):
        async with opened(tmp_path, found("bad", kind)):
            pass


async def test_a_table_of_a_plugin_that_nobody_installed_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"config.toml: plugins.goood: no plugin 'goood' is installed"):
        async with opened(tmp_path, config="[plugins.goood]\nenabled = true\n"):
            pass


async def test_an_unknown_key_of_a_plugin_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"config.toml: plugins.good.louder"):
        async with opened(tmp_path, config="[plugins.good]\nlouder = 11\n"):
            pass


async def test_an_unknown_tier_limit_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"tiers.FREE.max_bells: unknown limit"):
        async with opened(tmp_path, config="[tiers.FREE]\nmax_bells = 3\n"):
            pass


async def test_a_strict_house_treats_a_plugins_fault_as_an_error(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"plugin 'bad': manor_routes raised"):
        async with opened(tmp_path, found("bad", bad(manor_routes=raising(KeyError("x")))), strict=True):
            pass


async def test_a_disabled_plugin_is_not_even_imported(tmp_path: Path) -> None:
    never = Found("bad", "a test", raising(AssertionError("imported")))
    async with opened(tmp_path, never, config="[plugins.bad]\nenabled = false\n") as house:
        states = {plugin.name: plugin.state for plugin in house.plugins}

    assert states == {"good": State.ENABLED, "bad": State.DISABLED}


async def test_a_second_house_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(HouseIsOpen, match="is in use by another Manor process"):
            async with opened(tmp_path):
                pass


async def test_what_the_body_raises_leaves_the_house_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no command 'bell\.ring'"):
        async with opened(tmp_path) as house:
            await house.run_command("bell.ring", None)


async def test_a_plugins_command_runs_in_an_open_house(tmp_path: Path) -> None:
    async def ring(arguments: Greeting) -> Greeting:
        return Greeting(arguments.word.upper())

    kind = bad(manor_commands=lambda self: [Command("bad.ring", Greeting, ring, Greeting)])
    async with opened(tmp_path, found("bad", kind), serve=False) as house:
        assert await house.run_command("bad.ring", Greeting("ding")) == Greeting("DING")


async def test_leaving_ends_lifespans_and_tasks(tmp_path: Path) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        told.append("moved in")
        yield
        told.append("moved out")

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            told.append("put down the work")

    def lifespans(self: Any) -> Callable[[], AbstractAsyncContextManager[None]]:
        return lifespan

    kind = bad(manor_lifespan=lifespans, manor_background_tasks=lambda self: [BackgroundTask("work", work)])
    async with opened(tmp_path, found("bad", kind)) as house:
        await trio.testing.wait_all_tasks_blocked()
        phases = [house.phase]
    phases.append(house.phase)

    assert told == ["moved in", "put down the work", "moved out"]
    assert phases == [Phase.READY, Phase.STOPPING]


async def test_a_plugin_that_does_not_start_is_quarantined_in_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    @asynccontextmanager
    async def never() -> AsyncIterator[None]:
        await trio.Event().wait()
        yield

    assert "did not start within 30 s" in await reason_for(tmp_path, bad(manor_lifespan=lambda self: never))


async def test_a_plugin_that_does_not_stop_is_left_behind(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    @asynccontextmanager
    async def clings() -> AsyncIterator[None]:
        yield
        await trio.sleep_forever()

    before = trio.current_time()
    async with opened(tmp_path, found("bad", bad(manor_lifespan=lambda self: clings))):
        before = trio.current_time()

    assert trio.current_time() - before == pytest.approx(5)


async def test_metrics_are_for_this_machine(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        client = Client(house.dispatcher)
        near = await client.get("/metrics")
        far = await client(address="192.0.2.1").get("/metrics")
        through_a_proxy = await client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})

    assert (near.status, far.status, through_a_proxy.status) == (200, 403, 403)
    assert b"manor_" in near.body


async def test_readiness_says_when_the_house_stops(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        await house.close_streams()
        ready = await Client(house.dispatcher).get("/readyz")

    assert (ready.status, ready.json()["status"]) == (503, "stopping")


async def test_a_reload_changes_what_is_live_and_names_what_is_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        text = '[server]\nbind = ["127.0.0.1:9999"]\n[server.limits]\naddress_limit_factor = 0\n'
        (tmp_path / "config.toml").write_text(text)
        restart = house.reload(load(tmp_path / "config.toml", {}, cwd=tmp_path))

    assert restart == ["server.bind"]
    assert house.services.limits.address_limit_factor == 0


async def test_a_rolled_back_unit_tells_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        heard: list[Event] = []
        house.bus.subscribe("tests", Subscription("good.greeted", Greeted, heard.append, Delivery.INLINE))

        def work(transaction: Transaction) -> None:
            transaction.emit(Greeted(word="hello"))
            raise NotFound("nobody there")

        with pytest.raises(NotFound):
            await house.storage.write(work)

    assert heard == []


async def test_a_purge_forgets_what_the_plugin_put_off_and_stands_in_the_audit_log(tmp_path: Path) -> None:
    ringing, other = Job("gone.ring", Greeting), Job("gone_too.ring", Greeting)

    def leave(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("CREATE TABLE gone_bells (id INTEGER)")
        transaction.defer(ringing, Greeting("ding"))
        transaction.defer(other, Greeting("dong"))

    async with opened(tmp_path, serve=False) as house:
        await house.storage.write(leave)
        purged = await house.run_command("plugins.purge", Purge("gone"))
        rows = await house.storage.read(house.services.outbox.list)
        (noted,) = await house.storage.read(house.services.audit.list)

    assert purged.tables == ["gone_bells"]
    assert [row.name for row in rows] == ["gone_too.ring"]
    assert (noted.action, noted.actor, noted.target) == ("core.plugin_purged", "shell", "gone")
    assert noted.detail == '{"outbox_rows":1,"tables":["gone_bells"]}'
