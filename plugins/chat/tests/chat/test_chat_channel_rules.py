"""The rules about channels that need no house: names, sidebars, settings."""

from __future__ import annotations

from typing import Any

import pytest

from manor_chat.domain.categories import (
    Category,
    Joined,
    in_order,
    is_category_id,
    places,
    taken,
    with_built_in,
    with_new,
)
from manor_chat.domain.channel_rules import direct_name, group_display_name, group_name, misfit_of
from manor_chat.domain.notify_props import OF_MEMBER, BadSetting, chosen

ME, TEAM = "m" * 26, "t" * 26
BUILT_IN = with_built_in([], ME, TEAM)
WORK = Category("w" * 26, "custom", "Work")
CHANNEL, PEOPLE = Joined(is_of_people=False), Joined(is_of_people=True)


@pytest.mark.parametrize("name", ["a", "0", "a-b_c", "x" * 64, "a" * 26])
def test_a_channel_may_be_called(name: str) -> None:
    assert misfit_of({"name": name, "display_name": "A", "header": "x" * 1024, "purpose": "x" * 250}) is None


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "ä", "a b", "a.b", "x" * 65, "a\n", f"{'a' * 26}__{'b' * 26}"])
def test_a_channel_may_not_be_called(name: str) -> None:
    assert misfit_of({"display_name": "A", "name": name}) is not None
    assert misfit_of({"display_name": "A"}) is None


def test_names_of_channels_of_people_do_not_depend_on_who_asks() -> None:
    assert direct_name("b", "a") == direct_name("a", "b") == "a__b"
    assert direct_name("a", "a") == "a__a"
    assert group_name(["b", "a", "c"]) == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert group_display_name(["eve", "ann", "bob"]) == "ann, bob, eve"
    assert len(group_display_name(["x" * 30, "y" * 30, "z" * 30])) == 64


def test_every_channel_is_in_exactly_one_category() -> None:
    categories = with_new(BUILT_IN, WORK)
    joined = {"a": CHANNEL, "b": CHANNEL, "c": CHANNEL, "d": PEOPLE, "e": PEOPLE}
    put = {"d": (WORK.id, 0), "b": (WORK.id, 1), "c": ("gone", 0), "elsewhere": (WORK.id, 2)}
    found = places(categories, joined, put)

    assert [each.type for each in categories] == ["favorites", "custom", "channels", "direct_messages"]
    assert [found[each.id] for each in categories] == [[], ["d", "b"], ["a", "c"], ["e"]]


def test_what_has_a_place_stands_before_what_has_none() -> None:
    channels = BUILT_IN[1].id
    joined = {"a": CHANNEL, "b": CHANNEL, "c": CHANNEL}
    assert places(BUILT_IN, joined, {"c": (channels, 0), "b": (channels, 1)})[channels] == ["c", "b", "a"]


def test_built_in_categories_take_what_is_of_their_type() -> None:
    favorites, channels, messages = BUILT_IN
    joined = {"a": CHANNEL, "d": PEOPLE}
    wanted = ["d", "a", "stranger", "d"]
    assert taken(favorites, wanted, joined) == taken(WORK, wanted, joined) == ["d", "a"]
    assert taken(channels, wanted, joined) == ["a"]
    assert taken(messages, wanted, joined) == ["d"]


def test_an_order_is_of_all_categories() -> None:
    ids = [each.id for each in BUILT_IN]
    assert in_order(BUILT_IN, ids[::-1]) == BUILT_IN[::-1]
    assert in_order(BUILT_IN, ids[1:]) is None
    assert in_order(BUILT_IN, [ids[0], *ids[:2]]) is None


def test_only_a_custom_category_takes_a_name_and_messages_are_not_muted() -> None:
    wanted: dict[str, Any] = {"display_name": "Mine", "sorting": "alpha", "muted": True, "collapsed": True}
    names = [each.changed(**wanted).display_name for each in (*BUILT_IN, WORK)]
    assert names == ["Favorites", "Channels", "Direct Messages", "Mine"]
    assert [each.changed(**wanted).muted for each in (*BUILT_IN, WORK)] == [True, True, False, True]


@pytest.mark.parametrize(
    "text", ["", "w" * 25, "W" * 26, f"work_{ME}_{TEAM}", f"channels_{ME}", f"channels_{ME}_{TEAM}x"]
)
def test_what_is_no_categorys_id(text: str) -> None:
    assert not is_category_id(text)
    assert all(is_category_id(each.id) for each in (*BUILT_IN, WORK))


def test_settings_that_are_known_are_taken_and_others_left_out() -> None:
    given = {"desktop": "all", "mark_unread": "mention", "user_id": 7, "constructor": "x"}
    assert chosen(given, OF_MEMBER) == {"desktop": "all", "mark_unread": "mention"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("desktop", "loud"),
        ("mark_unread", "default"),
        ("push", None),
        ("email", 1),
        ("desktop_notification_sound", "x" * 65),
    ],
)
def test_a_setting_has_one_of_its_values(name: str, value: Any) -> None:
    with pytest.raises(BadSetting, match=name):
        chosen({name: value}, OF_MEMBER)
