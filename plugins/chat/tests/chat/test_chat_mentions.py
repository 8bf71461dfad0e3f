"""Who is mentioned, and what the words of a message are."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from manor import Event, Transaction
from manor.testing import House, SetClock
from manor_chat.domain.code import without_code
from manor_chat.domain.emoji_names import is_built_in
from manor_chat.domain.hashtags import LONGEST_ALL, hashtags_in
from manor_chat.domain.links import first_link
from manor_chat.domain.mentions import Wishes, is_about, mentioned_in
from manor_chat.store.people import change_profile, find_person
from manor_chat.tables.people import mention_keys
from tests.chat_people import Chatter, Crew, chatter
from tests.chat_posts import Desk

MARKDOWN = st.text(alphabet=st.sampled_from("ab@#`~ \n._-:/().é💥"), max_size=300)


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


async def wishes(desk: Desk, who: Chatter, *keys: str, **notify_props: str) -> None:
    """Have somebody hear of words."""

    def work(transaction: Transaction) -> None:
        person = find_person(transaction, who.id)
        assert person is not None
        change_profile(transaction, person, notify_props=notify_props)
        for key in keys:
            transaction.connection.execute(insert(mention_keys).values(key=key, user_id=who.id))

    await desk.house.storage.write(work)


# --- Words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("@bob", {"bob"}),
        ("Hi @Bob, and (@ann)!", {"bob", "ann"}),
        ("@bob. @ann-- @x_.", {"bob", "bob.", "ann", "ann-", "ann--", "x", "x_", "x_."}),
        ("bob@example.org https://example.org/@bob @@bob", set()),
        ("`@bob` ``a ` @bob`` ```@bob```", set()),
        ("```\n@bob\n```\n@ann", {"ann"}),
        ("~~~ py\n@bob\n", set()),
        ("``` @bob ``` @ann", {"ann"}),
        ("`@bob @ann", {"bob", "ann"}),
        ("@all @channel @here @everyone", {"everyone"}),
        ("-@bob", {"bob"}),
    ],
)
def test_names_are_words_behind_an_at_sign_outside_of_code(message: str, names: set[str]) -> None:
    assert mentioned_in(message).names == names


@pytest.mark.parametrize(
    ("message", "everybody", "here"),
    [
        ("@all", True, False),
        ("@Channel:", True, False),
        ("@here.", False, True),
        ("all channel here", False, False),
        ("`@all`", False, False),
    ],
)
def test_everybody_is_called_by_three_names(message: str, everybody: bool, here: bool) -> None:
    said = mentioned_in(message)
    assert (said.everybody, said.here) == (everybody, here)


@pytest.mark.parametrize("message", ["deploy", "Deploy!", "(deploy)", "please: deploy.", "re-deploy deploy", "DEPLOY"])
def test_keys_are_found_whatever_stands_around_them(message: str) -> None:
    assert is_about(mentioned_in(message), Wishes("bob", keys=frozenset({"deploy"})))


@pytest.mark.parametrize("key", ["c++", "manor.org", "größe", "@ops", "日本"])
def test_keys_may_have_signs_in_them(key: str) -> None:
    wanted = Wishes("bob", keys=frozenset({key}))
    assert is_about(mentioned_in(f"About {key}, now"), wanted)
    assert not is_about(mentioned_in("About something else"), wanted)


@pytest.mark.parametrize(
    ("message", "tags"),
    [
        ("#world, #two.", "#world #two"),
        ("#ab #a #1st # #", "#ab"),
        ("#same #same", "#same"),
        ("a#b https://example.org/#frag &#39; ##double", ""),
        ("`#code`", ""),
        ("#größe #v1.2-rc_3", "#größe #v1.2-rc_3"),
    ],
)
def test_hashtags_begin_with_a_letter_and_have_three_characters(message: str, tags: str) -> None:
    assert hashtags_in(message) == tags


@pytest.mark.parametrize(
    ("message", "link"),
    [
        ("see https://example.org.", "https://example.org"),
        ("[a](http://example.org/b_(c))", "http://example.org/b_(c)"),
        ("`https://example.org` ftp://example.org", None),
        ("https:// no", None),
        ("http://a.example http://b.example", "http://a.example"),
    ],
)
def test_the_first_link_of_a_message(message: str, link: str | None) -> None:
    assert first_link(message) == link


@given(MARKDOWN)
def test_any_text_can_be_looked_through(message: str) -> None:
    assert len(without_code(message)) <= len(message) + message.count("`")
    said = mentioned_in(message)
    assert all(f"@{name}" in message.lower() for name in said.names)
    assert all(word in message.lower() for word in said.words)
    tags = hashtags_in(message)
    assert len(tags) <= LONGEST_ALL
    assert all(tag in message for tag in tags.split())
    link = first_link(message)
    assert link is None or link in message


@given(st.text(alphabet="abc\n ", max_size=200))
def test_text_without_code_stays_as_it_is(message: str) -> None:
    assert without_code(message) == message


@pytest.mark.parametrize(
    "message",
    [
        "`" * 16_000,
        "` `` " * 3_000,
        " ".join("`" * n for n in range(1, 170)),
        "```\n" * 4_000,
        "@" * 16_000,
        "@a." * 5_000,
        "#a." * 5_000,
        "." * 16_000,
        "http://" + ")" * 16_000,
    ],
    ids=lambda message: message[:6].strip(),
)
def test_hostile_text_takes_no_longer_than_other_text(message: str) -> None:
    began = time.process_time()
    for _ in range(3):
        mentioned_in(message), hashtags_in(message), first_link(message)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "name",
    [
        "+1",
        "-1",
        "thumbsup",
        "smile",
        "tada",
        "heart",
        "white_check_mark",
        "flag-us",
        "us",
        "man-woman-boy",
        "female-doctor",
        "wave_dark_skin_tone",
        "slightly_smiling_face",
        "100",
        "raised_hands",
        "woman-shrugging",
        "hugging_face",
        "zebra_face",
    ],
)
def test_built_in_emoji_have_the_names_that_clients_use(name: str) -> None:
    assert is_built_in(name)


@pytest.mark.parametrize("name", ["", "no_such", "partyparrot", "smile ", "flag-", "male-", "_dark_skin_tone"])
def test_other_names_are_no_built_in_emoji(name: str) -> None:
    assert not is_built_in(name)


# --- People --------------------------------------------------------------------------------------------------------


async def mentioned_by(desk: Desk, message: str, **body: Any) -> set[str]:
    """Who is mentioned by a post of Ann's."""
    await desk.post(desk.crew.ann, message, **body)
    names = {each.id: each.username for each in (desk.crew.ann, desk.crew.bob, desk.crew.eve, desk.crew.ada)}
    return {names.get(each, "?") for each in desk.told("posted")[-1].mentions}


async def test_members_hear_of_their_names_and_their_words(desk: Desk) -> None:
    await wishes(desk, desk.crew.bob, "deploy", "robert")
    await wishes(desk, desk.crew.eve, "deploy")
    await wishes(desk, desk.crew.ann, "deploy")
    assert await mentioned_by(desk, "@bob") == {"bob"}
    assert await mentioned_by(desk, "Deploy!") == {"bob"}
    assert await mentioned_by(desk, "`deploy` and @eve, @nobody, @ann") == set()
    assert await mentioned_by(desk, "Robert, " + " ".join(str(n) for n in range(1900))) == {"bob"}


async def test_whoever_wants_no_calls_is_not_called(desk: Desk) -> None:
    assert await mentioned_by(desk, "@channel") == {"bob"}
    await wishes(desk, desk.crew.bob, channel="false")
    assert await mentioned_by(desk, "@channel") == set()
    assert await mentioned_by(desk, "@bob") == {"bob"}
    await desk.do(
        desk.crew.bob,
        "PUT",
        f"/channels/{desk.channel}/members/{desk.crew.bob.chat_id}/notify_props",
        {"ignore_channel_mentions": "off"},
    )
    assert await mentioned_by(desk, "@all") == {"bob"}
    # He is not there to hear of this.
    assert await mentioned_by(desk, "@here") == set()
    status = {"user_id": desk.crew.bob.chat_id, "status": "online"}
    await desk.do(desk.crew.bob, "PUT", "/users/me/status", status)
    assert await mentioned_by(desk, "@here") == {"bob"}


async def test_everybody_in_a_channel_of_people_hears_of_each_post(desk: Desk) -> None:
    crew = desk.crew
    carl = await chatter(desk.house, "carl")
    direct = await desk.direct(crew.ann, crew.bob)
    assert await mentioned_by(desk, "hi", channel_id=direct) == {"bob"}
    await desk.do(crew.ada, "POST", f"/teams/{crew.team}/members", {"team_id": crew.team, "user_id": carl.chat_id})
    group = await desk.direct(crew.ann, crew.bob, carl)
    assert await mentioned_by(desk, "hi", channel_id=group) == {"bob", "?"}
    assert await desk.counts(crew.bob, direct) == (1, 1, 1, 1)


async def test_being_added_to_a_channel_is_a_mention(desk: Desk) -> None:
    crew = desk.crew
    body = {"team_id": crew.team, "name": "lab", "display_name": "Lab", "type": "P"}
    lab = await desk.do(crew.ann, "POST", "/channels", body)
    await desk.do(crew.ann, "POST", f"/channels/{lab['id']}/members", {"user_id": crew.bob.chat_id})
    assert await desk.counts(crew.bob, lab["id"]) == (0, 0, 1, 1)


async def test_comments_are_told_to_those_who_read_replies_in_channels(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.bob)
    await desk.reply(crew.ada, root)
    await wishes(desk, crew.bob, comments="root")
    assert await mentioned_by(desk, "x", root_id=root["id"]) == set()
    off = {"category": "display_settings", "name": "collapsed_reply_threads", "value": "off"}
    off["user_id"] = crew.bob.chat_id
    await desk.do(crew.bob, "PUT", "/users/me/preferences", [off | {"value": "on"}])
    assert await mentioned_by(desk, "x", root_id=root["id"]) == set()
    await desk.do(crew.bob, "PUT", "/users/me/preferences", [off])
    assert await mentioned_by(desk, "x", root_id=root["id"]) == {"bob"}
    await wishes(desk, crew.bob, comments="never")
    assert await mentioned_by(desk, "x", root_id=root["id"]) == set()
    other = await desk.post(crew.ada)
    await desk.reply(crew.bob, other)
    await wishes(desk, crew.bob, comments="root")
    assert await mentioned_by(desk, "x", root_id=other["id"]) == set()
    await wishes(desk, crew.bob, comments="any")
    assert await mentioned_by(desk, "x", root_id=other["id"]) == {"bob"}
