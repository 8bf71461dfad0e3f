"""The tags system, usage, roles and plugins: what the server is and how it is."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

import msgspec

from manor import PUBLIC, NotFound, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.domain.permissions import ROLES
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.totals import count_people, count_posts
from manor_chat.system.client_config import client_config
from manor_chat.system.roles import show_role

_MOST_ROLES = 100
_LONGEST_LOG = 400


class FormatQuery(msgspec.Struct, frozen=True):
    """`format=old` is the only form there is; newer clients leave it out."""

    format: str = "old"


class PingQuery(msgspec.Struct, frozen=True):
    """What a ping asks besides."""

    get_server_status: str = ""
    device_id: str = ""
    use_rest_semantics: str = ""


class LogLine(msgspec.Struct, frozen=True):
    """What a client wants in the log."""

    level: str = ""
    message: str = ""


class SystemHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def ping(self, request: Request[None, PingQuery]) -> Reply:
        """Whether the server is there, and with `get_server_status=true` whether it is well."""
        told = {
            "status": "OK",
            "AndroidLatestVersion": "",
            "AndroidMinVersion": "",
            "IosLatestVersion": "",
            "IosMinVersion": "",
            "ActiveSearchBackend": "database",
        }
        if request.query.get_server_status.lower() != "true":
            return answer(told)
        is_well = self._shared.storage.is_writable
        told |= {"database_status": "OK" if is_well else "UNHEALTHY", "filestore_status": "OK"}
        if request.query.device_id:
            told["CanReceiveNotifications"] = "unknown"
        if is_well:
            return answer(told)
        told["status"] = "UNHEALTHY"
        return answer(told, 200 if request.query.use_rest_semantics.lower() == "true" else 500)

    async def client_config(self, request: Request[None, FormatQuery]) -> Reply:
        """What clients need to know of the server, all values strings; less of it before a sign-in."""
        if request.query.format not in ("", "old"):
            raise faults.bad_url_param("format")
        return etagged(request, client_config(self._shared.context, signed_in=request.user_id is not None))

    async def client_license(self, request: Request[None, FormatQuery]) -> Reply:
        """There is no licence, so that apps hide what would need one."""
        if request.query.format not in ("", "old"):
            raise faults.bad_url_param("format")
        return etagged(request, {"IsLicensed": "false", "SkuShortName": "", "Users": "0"})

    async def timezones(self, request: Request) -> Reply:
        """The time zones that people may choose."""
        return etagged(request, _timezones())

    async def notices(self, request: Request) -> Reply:
        """Nothing: nobody advertises here."""
        return answer([])

    async def performance(self, request: Request[bytes]) -> Reply:
        """Taken and forgotten: nobody measures clients here."""
        return answer({"status": "OK"})

    async def log(self, request: Request[LogLine]) -> Reply:
        """Have a line in the server's log."""
        body = request.body
        if not body.message:
            raise faults.bad_body_param("message")
        await self._shared.read(request, lambda transaction, rights: rights.require("manage_system"))
        message = body.message[:_LONGEST_LOG]
        self._shared.context.log.info("a client logs", level=body.level[:16], message=message)
        return answer({"message": message})

    async def acknowledge(self, request: Request[bytes]) -> Reply:
        """A push notification has arrived: nothing is pushed by a relay, so there is nothing to count."""
        return answer({"status": "OK"})

    async def limits(self, request: Request) -> Reply:
        """No limits; how many people there are is told to administrators."""

        def work(transaction: Transaction, rights: Rights) -> Any:
            count = count_people(transaction) if rights.may("manage_system") else 0
            return {
                "activeUserCount": count,
                "maxUsersLimit": 0,
                "maxUsersHardLimit": 0,
                "lastAccessiblePostTime": 0,
                "postHistoryLimit": 0,
            }

        return answer(await self._shared.read(request, work))

    async def posts_usage(self, request: Request) -> Reply:
        """How many posts there are, rounded down to two leading figures."""
        count = await self._shared.read(request, lambda transaction, rights: count_posts(transaction))
        unit = 10 ** max(0, len(str(count)) - 2)
        return answer({"count": count // unit * unit})

    async def webapp_plugins(self, request: Request) -> Reply:
        """None: plugins of this server add nothing to a web app."""
        return answer([])

    async def role_by_name(self, request: Request) -> Reply:
        """A role with what it permits."""
        name = request.params["role_name"]
        if name not in ROLES:
            raise NotFound("Unable to get role", code="app.role.get_by_name.app_error")
        return etagged(request, show_role(name))

    async def roles_by_names(self, request: Request[list[str]]) -> Reply:
        """Several roles; names that are none are left out."""
        names = list(dict.fromkeys(request.body))
        if not 1 <= len(names) <= _MOST_ROLES:
            raise faults.bad_body_param("rolenames")
        return etagged(request, [show_role(name) for name in names if name in ROLES])


def system_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers, api = SystemHandlers(shared), shared.api

    def route(line: str, handler: Any, tag: str = "system", access: Any = SIGNED_IN, **more: Any) -> Route:
        return operation(api, line, handler, access=access, tag=tag, **more)

    return [
        route("GET /system/ping", handlers.ping, access=PUBLIC, query=PingQuery, errors=(500,)),
        route("GET /config/client", handlers.client_config, access=PUBLIC, query=FormatQuery),
        route("GET /license/client", handlers.client_license, access=PUBLIC, query=FormatQuery),
        route("GET /system/timezones", handlers.timezones),
        route("GET /system/notices/{team_id}", handlers.notices),
        route("POST /client_perf", handlers.performance, body=bytes),
        route("POST /logs", handlers.log, body=LogLine),
        route("POST /notifications/ack", handlers.acknowledge, body=bytes),
        route("GET /limits/server", handlers.limits, "usage"),
        route("GET /usage/posts", handlers.posts_usage, "usage"),
        route("GET /plugins/webapp", handlers.webapp_plugins, "plugins", access=PUBLIC),
        route("GET /roles/name/{role_name}", handlers.role_by_name, "roles"),
        route("POST /roles/names", handlers.roles_by_names, "roles", body=list[str]),
    ]


@cache
def _timezones() -> list[str]:
    return sorted(name for name in available_timezones() if name != "localtime")
