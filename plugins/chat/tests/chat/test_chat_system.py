"""What the server says of itself, and of what it does not have."""

from __future__ import annotations

from manor.config import load
from manor.testing import Client, House
from manor_chat.system.absent import ABSENT, EMPTY
from tests.chat_people import Crew

UNKNOWN = "y" * 26
CHANGES = (
    ("site_name", "'Elsewhere'"),
    ("max_file_bytes", 2048),
    ("link_previews", "false"),
    ("post_edit_seconds", 60),
)


async def test_every_answer_has_the_headers_that_clients_look_at(client: Client) -> None:
    answer = await client.get("/api/v4/system/ping")

    assert answer.json()["status"] == "OK"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Version-Id"].startswith("10.5.0.")
    assert answer.headers["X-Version-Id"].endswith(".false")
    assert answer.headers["Expires"] == "0"
    assert "Cache-Control" not in answer.headers
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("100", "999")
    assert answer.headers["X-RateLimit-Reset"] == "1"


async def test_clients_see_by_a_header_that_the_configuration_is_another(house: House, client: Client) -> None:
    path = house.loaded.path
    assert path is not None
    written = path.read_text()

    async def version_with(line: str) -> str:
        path.write_text(written.replace("[plugins.chat]", f"[plugins.chat]\n{line}"))
        house.reload(load(path, {}, cwd=path.parent))
        return (await client.get("/api/v4/system/ping")).headers["X-Version-Id"]

    before = (await client.get("/api/v4/system/ping")).headers["X-Version-Id"]
    versions = [await version_with(f"{key} = {value}") for key, value in CHANGES]

    assert len({before, *versions}) == 1 + len(CHANGES)
    # What clients are not told is nothing to them.
    assert await version_with("incoming_webhook_rate = 7") == before


async def test_a_ping_tells_how_the_server_is_when_asked(client: Client) -> None:
    told = (await client.get("/api/v4/system/ping", query={"get_server_status": "true", "device_id": "x"})).json()

    assert (told["database_status"], told["filestore_status"]) == ("OK", "OK")


async def test_clients_are_told_strings_and_more_once_they_have_signed_in(client: Client, crew: Crew) -> None:
    before = (await client.get("/api/v4/config/client?format=old")).json()
    after = (await crew.bob.client.get("/api/v4/config/client?format=old")).json()

    assert all(isinstance(value, str) for value in after.values())
    assert before.items() < after.items()
    assert (before["EnableSignInWithUsername"], before["EnableUserCreation"]) == ("true", "true")
    assert (after["CollapsedThreads"], after["MaxFileSize"]) == ("always_on", "104857600")
    assert (await client.get("/api/v4/config/client?format=new")).json()["id"].endswith("invalid_url_param.app_error")


async def test_what_a_client_has_already_is_not_sent_again(client: Client) -> None:
    first = await client.get("/api/v4/license/client?format=old")

    assert first.json()["IsLicensed"] == "false"
    again = await client.get("/api/v4/license/client?format=old", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


async def test_roles_say_what_they_permit(crew: Crew) -> None:
    names = ["channel_user", "nonesuch", "system_admin", "channel_user"]
    roles = (await crew.bob.client.post("/api/v4/roles/names", json=names)).json()

    assert [role["name"] for role in roles] == ["channel_user", "system_admin"]
    assert "create_post" in roles[0]["permissions"]
    assert len(roles[0]["id"]) == 26
    one = await crew.bob.client.get("/api/v4/roles/name/team_admin")
    assert "manage_team" in one.json()["permissions"]
    assert (await crew.bob.client.get("/api/v4/roles/name/nonesuch")).status == 404
    assert (await crew.bob.client.post("/api/v4/roles/names", json=[])).status == 400


async def test_only_administrators_are_told_how_many_there_are(crew: Crew) -> None:
    assert (await crew.bob.client.get("/api/v4/limits/server")).json()["activeUserCount"] == 0
    assert (await crew.ada.client.get("/api/v4/limits/server")).json()["activeUserCount"] == 4
    assert (await crew.bob.client.get("/api/v4/usage/posts")).json() == {"count": 0}


async def test_only_administrators_write_into_the_log(crew: Crew) -> None:
    line = {"level": "ERROR", "message": "It broke"}

    assert (await crew.ada.client.post("/api/v4/logs", json=line)).json() == {"message": "It broke"}
    assert (await crew.bob.client.post("/api/v4/logs", json=line)).status == 403
    assert (await crew.ada.client.post("/api/v4/logs", json={"level": "x"})).status == 400


async def test_zones_notices_and_plugins_are_lists(crew: Crew, client: Client) -> None:
    assert "Europe/Berlin" in (await crew.bob.client.get("/api/v4/system/timezones")).json()
    assert (await crew.bob.client.get(f"/api/v4/system/notices/{crew.team}")).json() == []
    assert (await client.get("/api/v4/plugins/webapp")).json() == []


async def test_a_path_that_nobody_serves_is_told_in_the_dialect(client: Client, crew: Crew) -> None:
    for asking in (client, crew.bob.client):
        answer = await asking.get("/api/v4/nonesuch")
        assert answer.status == 404
        assert answer.json() | {"request_id": ""} == {
            "id": "api.context.404.app_error",
            "message": "Not Found",
            "detailed_error": "",
            "request_id": "",
            "status_code": 404,
            "is_oauth": False,
        }


async def test_what_wants_a_licence_says_so(crew: Crew) -> None:
    for feature in ABSENT:
        for line in feature.lines.split("\n"):
            if not line.strip():
                continue
            method, path = line.split()
            for name in ("user_id", "team_id", "channel_id", "post_id"):
                path = path.replace(f"{{{name}}}", UNKNOWN)
            answer = await crew.bob.client.request(method, f"/api/v4{path}")
            assert (answer.status, answer.json()["id"]) == (feature.status, feature.code), line
    for _, line, body in EMPTY:
        method, path = line.split()
        answer = await crew.bob.client.request(method, f"/api/v4{path}")
        assert (answer.status, answer.body) == (200, body), line


async def test_groups_are_empty_in_the_shape_that_clients_read(crew: Crew) -> None:
    for place in (f"teams/{crew.team}", f"channels/{UNKNOWN}"):
        answer = await crew.bob.client.get(f"/api/v4/{place}/groups")
        assert answer.json() == {"groups": [], "total_group_count": 0}
    answer = await crew.bob.client.get(f"/api/v4/teams/{crew.team}/groups_by_channels")
    assert answer.json() == {"groups": {}}
    assert (await crew.bob.client.get("/api/v4/users/me/groups")).json() == []


async def test_nothing_of_it_is_for_strangers(client: Client) -> None:
    for path in ("/api/v4/cloud/limits", "/api/v4/groups", "/api/v4/limits/server", "/api/v4/system/timezones"):
        answer = await client.get(path)
        assert (answer.status, answer.json()["id"]) == (401, "api.context.session_expired.app_error")
