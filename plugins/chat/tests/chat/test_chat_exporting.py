"""What goes out comes in again, and the other way round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import trio
from click.testing import CliRunner

from manor import from_chat_id
from manor.cli import main
from manor.testing import House, SetClock, open_test_house
from tests.chat_moving import (
    T0,
    VERSION,
    compared,
    contents_of,
    exported,
    imported,
    in_team,
    line,
    lines_of,
    png,
    post,
    team,
    user,
    zipped,
)
from tests.chat_people import API, Crew, said

UPSTREAM: list[dict[str, Any]] = [
    VERSION,
    team(description="All hands"),
    line("team", name="other", display_name="Other", type="O", allow_open_invite=True),
    line("channel", team="crew", name="town-square", display_name="Town Square", type="O"),
    line("channel", team="crew", name="off-topic", display_name="Off-Topic", type="O", header="Anything"),
    line("channel", team="crew", name="secret", display_name="Secret", type="P", purpose="Surprises"),
    line("channel", team="crew", name="old", display_name="Old", type="O", deleted_at=T0 + 5),
    line("channel", team="other", name="town-square", display_name="Town Square", type="O"),
    line("channel", team="other", name="off-topic", display_name="Off-Topic", type="O"),
    user(
        "ann",
        [
            in_team("crew", "off-topic", {"name": "secret", "roles": "channel_user channel_admin"}, admin=True),
            in_team("other", admin=True) | {"theme": '{"sidebarBg":"#000"}'},
        ],
        nickname="Annie",
        first_name="Ann",
        last_name="Ahorn",
        position="Cook",
        military_time="true",
        link_previews="false",
        theme='{"sidebarBg":"#fff"}',
        tutorial_step="999",
        email_interval="hour",
        show_join_leave="false",
        name_format="full_name",
        notify_props={"desktop": "mention", "mobile": "all", "mention_keys": "ann,@ann", "comments": "any"},
        custom_status={
            "emoji": "calendar",
            "text": "In a meeting",
            "duration": "",
            "expires_at": "0001-01-01T00:00:00Z",
        },
    ),
    user(
        "bob",
        [
            in_team(
                "crew",
                {
                    "name": "off-topic",
                    "roles": "channel_user",
                    "favorite": True,
                    "notify_props": {"desktop": "none", "mobile": "all", "mark_unread": "mention"},
                },
            )
        ],
    ),
    user("zoe", [in_team("crew", "off-topic")], delete_at=T0 + 1000),
    line("bot", username="helper", owner="ann", display_name="Helper", description="Helps"),
    line("emoji", name="partying", image="emoji/partying.png"),
    post(
        "A question #now",
        100,
        edit_at=T0 + 150,
        is_pinned=True,
        flagged_by=["bob"],
        reactions=[{"user": "bob", "emoji_name": "+1", "create_at": T0 + 110}],
        thread_followers=[{"user": "ann", "last_viewed": T0 + 300}, {"user": "bob"}],
        attachments=[{"path": "20200101/teams/noteam/notes.txt"}, {"path": "20200101/photo.png"}],
        replies=[
            {"user": "bob", "message": "An answer", "create_at": T0 + 200, "flagged_by": ["ann"]},
            {
                "user": "zoe",
                "message": "Another",
                "create_at": T0 + 300,
                "props": {"x": {"y": [1]}},
                "reactions": [{"user": "ann", "emoji_name": "partying", "create_at": T0 + 310}],
            },
        ],
    ),
    post("Earlier, and later in the file", 50, by="bob"),
    post("ann joined the channel.", 20, type="system_join_channel", props={"username": "ann"}),
    post("beep", 400, by="helper", channel="secret", props={"attachments": [{"text": "boop"}]}),
    line("direct_channel", members=["ann", "bob"], header="Us", favorited_by=["ann"], shown_by=["bob"]),
    line("direct_channel", members=["ann", "bob", "zoe"], header="", shown_by=["ann"]),
    line("direct_channel", members=["ann", "ann"], header="Notes"),
    line("direct_post", channel_members=["ann", "bob"], user="ann", message="psst", create_at=T0 + 10),
    line(
        "direct_post",
        channel_members=["ann", "bob", "zoe"],
        user="zoe",
        message="hello all",
        create_at=T0 + 11,
        replies=[{"user": "ann", "message": "hello", "create_at": T0 + 12}],
        thread_followers=[{"user": "zoe", "last_viewed": T0 + 13}, {"user": "ann", "last_viewed": T0 + 12}],
    ),
    line("direct_post", channel_members=["ann", "ann"], user="ann", message="to self", create_at=T0 + 12),
]

FILES = {
    "data/20200101/teams/noteam/notes.txt": b"milk, eggs",
    "data/20200101/photo.png": png(),
    "data/emoji/partying.png": png("blue"),
}


async def test_what_another_server_wrote_goes_out_as_it_came(house: House, tmp_path: Path) -> None:
    source = zipped(tmp_path / "in.zip", UPSTREAM, FILES)
    report = await imported(house, source)
    assert report.troubles == []

    lines = await exported(house, tmp_path / "out.zip")

    drop = [each for each in UPSTREAM if each["type"] != "emoji"]
    assert compared([each for each in lines if each["type"] != "emoji"], contents_of(tmp_path / "out.zip")) == compared(
        drop, contents_of(source)
    )
    assert [each["emoji"]["name"] for each in lines if each["type"] == "emoji"] == ["partying"]


async def test_what_goes_out_comes_into_another_house(house: House, tmp_path: Path, clock: SetClock) -> None:
    await imported(house, zipped(tmp_path / "in.zip", UPSTREAM, FILES))
    first = await exported(house, tmp_path / "first.zip")

    async with open_test_house(tmp_path / "other", plugins=["chat"], clock=clock) as other:
        report = await imported(other, tmp_path / "first.zip")
        assert report.troubles == []
        assert report.left_out == {}
        second = await exported(other, tmp_path / "second.zip")
    assert compared(second, contents_of(tmp_path / "second.zip")) == compared(
        first, contents_of(tmp_path / "first.zip")
    )


async def test_what_is_deleted_stays_here(house: House, crew: Crew, tmp_path: Path) -> None:
    kept = await said(house, crew.ann, crew.off_topic, "kept")
    gone = await said(house, crew.ann, crew.off_topic, "gone")
    edited = await said(house, crew.ann, crew.off_topic, "before")
    reply = await said(house, crew.bob, crew.off_topic, "gone reply", root_id=from_chat_id(kept))
    for each in (gone, reply):
        await crew.ann.client.delete(f"{API}/posts/{each}")
        await crew.bob.client.delete(f"{API}/posts/{each}")
    await crew.ann.client.put(f"{API}/posts/{edited}/patch", json={"message": "after"})

    lines = await exported(house, tmp_path / "out.zip")

    posts = {each["post"]["message"]: each["post"] for each in lines if each["type"] == "post"}
    assert {message for message in posts if "joined" not in message} == {"kept", "after"}
    assert "replies" not in posts["kept"]


async def test_an_export_without_files_has_none(house: House, tmp_path: Path) -> None:
    await imported(house, zipped(tmp_path / "in.zip", UPSTREAM, FILES))
    lines = await exported(house, tmp_path / "out.zip", with_files=False)
    assert contents_of(tmp_path / "out.zip") == {}
    assert not [each for each in lines if "attachments" in json.dumps(each) and each["post"].get("attachments")]
    assert "emoji" not in {each["type"] for each in lines}


async def test_an_export_is_of_one_moment(house: House, crew: Crew, tmp_path: Path) -> None:
    await said(house, crew.ann, crew.off_topic, "before")

    async def write(scope: trio.CancelScope) -> None:
        number = 0
        while not scope.cancel_called:
            await said(house, crew.ann, crew.off_topic, f"meanwhile {number}")
            number += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, nursery.cancel_scope)
        lines = await exported(house, tmp_path / "out.zip")
        nursery.cancel_scope.cancel()

    numbers = sorted(
        int(each["post"]["message"].partition(" ")[2])
        for each in lines
        if each["type"] == "post" and each["post"]["message"].startswith("meanwhile")
    )
    assert numbers == list(range(len(numbers)))


def test_the_shell_imports_and_exports_with_the_daemon_stopped(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\ndata_dir = "{tmp_path}/data"\n[plugins.chat]\nenabled = true\n')
    source = zipped(tmp_path / "in.zip", [*UPSTREAM[:1], team(), user("ann", [in_team("crew")]), post("hi", 1)])

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, ["chat", *words, "--config", str(config)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "1 posts would be new" in run("import", str(source), "--dry-run")
    assert "1 posts were new" in run("import", str(source))
    assert json.loads(run("import", str(source), "--json"))["made"] == {}
    assert "posts written" in run("export", str(tmp_path / "out.zip"))
    assert [each["post"]["message"] for each in lines_of(tmp_path / "out.zip") if each["type"] == "post"] == ["hi"]
