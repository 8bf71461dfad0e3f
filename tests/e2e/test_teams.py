"""`manor teams`: the same with the daemon running and stopped, and what the API says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.clients import Answer, ask
from tests.e2e.conftest import Make
from tests.e2e.daemon import Daemon

PASSWORD = "four horses walk"


class Ann:
    """Somebody with an account, who has signed in."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._headers: list[str] = []

    async def sign_in(self) -> Ann:
        body = json.dumps({"email": "ann@example.org", "password": PASSWORD})
        answer = await ask(self._daemon.port, "POST", "/auth/login", body, ["Content-Type: application/json"])
        assert answer.status == 200, answer.body
        self._headers = [f"Authorization: Bearer {answer.json['access_token']}"]
        return self

    async def ask(self, method: str, target: str, **members: Any) -> Answer:
        headers = [*self._headers, "Content-Type: application/json"]
        return await ask(self._daemon.port, method, target, json.dumps(members) if members else "", headers)


async def team_of_ann(daemon: Daemon) -> Ann:
    """A running daemon with Ann's team `crew` and a topic of it."""
    arguments = ("user", "add", "ann@example.org", "--username", "ann", "--password-stdin")
    done = daemon.manor(*arguments, stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    ann = await Ann(daemon).sign_in()
    team = await ann.ask("POST", "/api/teams", name="crew", display_name="Crew")
    assert team.status == 201, team.body
    topic = await ann.ask("POST", "/api/topics", name="alarms", team_id=team.json["id"])
    assert topic.status == 201, topic.body
    return ann


@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
async def test_teams_are_listed_deactivated_and_on_again(make: Make, is_running: bool) -> None:
    daemon = make()
    daemon.start()
    ann = await team_of_ann(daemon)
    if not is_running:
        daemon.stop()

    listed = json.loads((await daemon.manor_here("teams", "list", "--json")).stdout)
    off = await daemon.manor_here("teams", "deactivate", "crew")
    again = await daemon.manor_here("teams", "deactivate", "crew")

    assert [(team["name"], team["owner"], team["member_count"], team["is_active"]) for team in listed] == [
        ("crew", "ann", 1, True)
    ]
    assert (off.exit_code, off.stdout) == (0, f"crew is deactivated ({listed[0]['id']})\n")
    assert (again.exit_code, again.stdout, again.stderr) == (1, "", "The team 'crew' is deactivated already\n")
    assert "deactivated" in (await daemon.manor_here("teams", "list")).stdout
    if not is_running:
        daemon.start()
    assert (await ann.ask("GET", "/api/teams")).json == []
    assert [team["name"] for team in (await ann.ask("GET", "/api/teams/deactivated")).json] == ["crew"]
    if not is_running:
        daemon.stop()
    assert (await daemon.manor_here("teams", "reactivate", listed[0]["id"])).exit_code == 0
    assert (await daemon.manor_here("teams", "reactivate", "crew")).stderr == "The team 'crew' is active\n"
    if not is_running:
        daemon.start()
    assert len((await ann.ask("GET", "/api/teams")).json) == 1


@pytest.mark.parametrize(
    ("is_running", "deletes"), [(False, False), (True, True)], ids=["stopped, leaving topics", "running, with topics"]
)
async def test_a_team_is_deleted_with_its_topics_or_without(make: Make, is_running: bool, deletes: bool) -> None:
    daemon = make()
    daemon.start()
    ann = await team_of_ann(daemon)
    if not is_running:
        daemon.stop()

    options = ["--delete-topics"] if deletes else []
    unasked = await daemon.manor_here("teams", "delete", "crew", stdin="n\n")
    done = await daemon.manor_here("teams", "delete", "crew", *options, stdin="y\n")

    assert (unasked.exit_code, "crew" in unasked.stderr) == (1, True)
    assert (done.exit_code, done.stdout.startswith("crew is deleted")) == (0, True), done.stderr
    if not is_running:
        daemon.start()
    assert (await ann.ask("GET", "/api/teams")).json == []
    topic = await ann.ask("GET", "/api/topics/alarms")
    if deletes:
        assert topic.status == 404
    else:
        assert (topic.json["team_id"], topic.json["access_level"]) == (None, "private")


@pytest.mark.parametrize("name", ["crew", "\udcff"])
async def test_a_team_that_is_not_there_is_named_in_one_line(make: Make, name: str) -> None:
    daemon = make()

    for command in (["deactivate", name], ["delete", name]):
        done = await daemon.manor_here("teams", *command)
        assert (done.exit_code, done.stdout, "Traceback" in done.stderr) == (1, "", False), done.stderr
        assert done.stderr.splitlines()[-1].startswith("There is no team")
