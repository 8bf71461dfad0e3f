"""Built-in commands about channels: what they say of themselves, and who is in them."""

from __future__ import annotations

from functools import partial

from manor_chat.channels.changing import Changes, change
from manor_chat.channels.joining import add_people, remove_person
from manor_chat.channels.settings import change_and_tell
from manor_chat.domain.notify_props import MUTED, UNMUTED
from manor_chat.domain.slash import channel_name, split_word
from manor_chat.ids import shown_id
from manor_chat.integrations.doing import BuiltIn, Doing, Outcome, going_to, refusal, told, wanting
from manor_chat.integrations.of_people import named
from manor_chat.integrations.of_texts import prefer
from manor_chat.store.channels import DEFAULT_CHANNELS, DIRECT, OPEN, Channel, find_channel_by_name, member_ids
from manor_chat.store.preferences import Preference

MOST_INVITED = 50
"""People whom one command names."""


def _set(doing: Doing, text: str, *, trigger: str, member: str) -> Outcome:
    if not text:
        raise wanting(trigger)
    change(doing.transaction, doing.rights, doing.channel.id, Changes(**{member: text}))
    return Outcome()


def _invite(doing: Doing, text: str) -> Outcome:
    names: list[str] = []
    channels: list[str] = []
    rest = text
    while rest:
        word, rest = split_word(rest)
        (channels if word.startswith("~") else names).append(word)
    if not names:
        raise refusal("A username must be provided with the /invite command.")
    if len(names) > MOST_INVITED:
        raise refusal(f"The /invite command adds {MOST_INVITED} people at most.")
    channel = _named_channel(doing, channels[0]) if channels else doing.channel
    people = [named(doing.transaction, name) for name in dict.fromkeys(names)]
    before = set(member_ids(doing.transaction, channel.id))
    there = [person.handle for person in people if person.id in before]
    coming = [person for person in people if person.id not in before]
    if coming:
        add_people(doing.transaction, doing.rights, channel.id, [person.id for person in coming], None)
    texts = [f"{handle} is already in the channel." for handle in there]
    if coming and channel.id != doing.channel.id:
        texts.append(f"{', '.join(person.handle for person in coming)} added to {channel.display_name} channel.")
    return told("\n".join(texts))


def _kick(doing: Doing, text: str) -> Outcome:
    name, _ = split_word(text)
    person = named(doing.transaction, name)
    if person.id not in member_ids(doing.transaction, doing.channel.id):
        raise refusal(f"{person.handle} is not a member of this channel.")
    remove_person(doing.transaction, doing.rights, doing.channel.id, person.id)
    return Outcome()


def _join(doing: Doing, text: str) -> Outcome:
    word, _ = split_word(text)
    channel = _named_channel(doing, word)
    if doing.rights.member(channel.id) is None:
        add_people(doing.transaction, doing.rights, channel.id, [doing.rights.user_id], None)
    return going_to(doing.address(f"channels/{channel.name}"))


def _leave(doing: Doing, text: str) -> Outcome:
    channel = doing.channel
    if channel.is_of_people:
        mates = [each for each in member_ids(doing.transaction, channel.id) if each != doing.rights.user_id]
        is_direct = channel.type == DIRECT
        name = shown_id((mates or [doing.rights.user_id])[0] if is_direct else channel.id)
        category = "direct_channel_show" if is_direct else "group_channel_show"
        prefer(doing, Preference(category=category, name=name, value="false"))
    else:
        remove_person(doing.transaction, doing.rights, channel.id, doing.rights.user_id)
    return going_to(doing.address(f"channels/{DEFAULT_CHANNELS[0]}"))


def _mute(doing: Doing, text: str) -> Outcome:
    channel = _named_channel(doing, split_word(text)[0]) if text else doing.channel
    member = doing.rights.member(channel.id)
    if member is None:
        raise refusal(f"You could not mute {channel.display_name}: you are not a member of it.")
    is_muted = member.notify_props.get("mark_unread") == MUTED["mark_unread"]
    change_and_tell(doing.transaction, member, notify_props={**member.notify_props, **(UNMUTED if is_muted else MUTED)})
    called = "this channel" if channel.is_of_people else channel.display_name
    if is_muted:
        return told(f"{called} is no longer muted.")
    return told(f"You will not receive notifications for {called} until channel mute is turned off.")


def _named_channel(doing: Doing, word: str) -> Channel:
    """A channel of the team that they may see."""
    channel = None
    if doing.team is not None and word:
        channel = find_channel_by_name(doing.transaction, doing.team.id, channel_name(word))
    is_seen = channel is not None and (channel.type == OPEN or doing.rights.may_read(channel))
    if channel is None or not is_seen or channel.delete_at:
        raise refusal(f"Could not find the channel {channel_name(word)!r}." if word else "A channel is needed.")
    return channel


COMMANDS = (
    BuiltIn("header", "Edit the channel header", "[text]", partial(_set, trigger="header", member="header")),
    BuiltIn("purpose", "Edit the channel purpose", "[text]", partial(_set, trigger="purpose", member="purpose")),
    BuiltIn("rename", "Rename the channel", "[text]", partial(_set, trigger="rename", member="display_name")),
    BuiltIn("invite", "Invite people to a channel", "@[username]… ~[channel]", _invite),
    BuiltIn("kick", "Remove somebody from the channel", "@[username]", _kick),
    BuiltIn("remove", "Remove somebody from the channel", "@[username]", _kick),
    BuiltIn("join", "Join a channel", "~[channel]", _join),
    BuiltIn("open", "Join a channel", "~[channel]", _join),
    BuiltIn("leave", "Leave the channel", "", _leave),
    BuiltIn("mute", "Turn notifications of a channel off or on again", "~[channel]", _mute),
)
