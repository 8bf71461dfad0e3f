"""Built-in commands about oneself and others: being there, and talking to them."""

from __future__ import annotations

import re

from manor import Transaction
from manor_chat.channels.making import open_direct, open_group
from manor_chat.domain.slash import names_in
from manor_chat.integrations.doing import BuiltIn, Doing, Outcome, going_to, refusal, told
from manor_chat.posts.checking import check_message
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.presence import AWAY, DND, OFFLINE, ONLINE
from manor_chat.status.custom import CustomStatus, clear_custom, set_custom
from manor_chat.store.channels import Channel
from manor_chat.store.people import Person, find_person_by_name

_EMOJI = re.compile(r":([a-zA-Z0-9_+-]{1,64}):\s*(.*)", re.DOTALL)
MOST_OTHERS = 7


def _being(status: str, words: str, description: str, *, trigger: str = "") -> BuiltIn:
    def do(doing: Doing, text: str) -> Outcome:
        return Outcome(told(words).response, status=status)

    return BuiltIn(trigger or status, description, "", do)


def _status(doing: Doing, text: str) -> Outcome:
    person = doing.rights.person
    if text == "clear":
        clear_custom(doing.transaction, person, doing.config)
        return told("Your status was cleared.")
    if not text:
        raise refusal("A status must be provided with the /status command, or the word clear.")
    found = _EMOJI.fullmatch(text)
    emoji, words = (found[1], found[2]) if found else ("speech_balloon", text)
    set_custom(doing.transaction, person, CustomStatus(emoji=emoji, text=words), doing.config)
    return told(f"Your status is set to “:{emoji}: {words}”.")


def _msg(doing: Doing, text: str) -> Outcome:
    names, message = names_in(text if text.startswith("@") else f"@{text}")
    return _talk(doing, names[:1], " ".join((*(f"@{name}" for name in names[1:]), message)).strip())


def _groupmsg(doing: Doing, text: str) -> Outcome:
    names, message = names_in(text)
    if not names:
        raise refusal("Usernames must be provided with the /groupmsg command.")
    if len(names) > MOST_OTHERS:
        raise refusal(f"Group messages are limited to {MOST_OTHERS} other people.")
    return _talk(doing, names, message)


def _talk(doing: Doing, names: list[str], message: str) -> Outcome:
    people = [named(doing.transaction, name) for name in names or [""]]
    ids = [person.id for person in people if person.id != doing.rights.user_id]
    within_teams = doing.config.direct_messages_within_teams
    if len(ids) > 1:
        channel = open_group(doing.transaction, doing.rights, ids, within_teams=within_teams)
        address = doing.address(f"messages/{channel.name}")
    else:
        both = [doing.rights.user_id, ids[0] if ids else doing.rights.user_id]
        channel = open_direct(doing.transaction, doing.rights, both, within_teams=within_teams)
        address = doing.address(f"messages/@{people[0].handle}")
    if message:
        _write(doing, channel, message)
    return going_to(address)


def named(transaction: Transaction, name: str) -> Person:
    """Somebody by their username.

    Raises:
        BadRequest: 400: nobody is called so.
    """
    person = find_person_by_name(transaction, name.removeprefix("@")) if name else None
    if person is None or not person.is_active:
        raise refusal(f"Could not find the user {name.removeprefix('@')!r}." if name else "A username is needed.")
    return person


def _write(doing: Doing, channel: Channel, message: str) -> None:
    check_message(message)
    create_post(doing.transaction, NewPost(channel=channel, author=doing.rights.person, message=message))


def _logout(doing: Doing, text: str) -> Outcome:
    return Outcome(going_to("/login").response, ends_session=True)


COMMANDS = (
    _being(AWAY, "You are now away.", "Set your status away"),
    _being(ONLINE, "You are now online.", "Set your status online"),
    _being(OFFLINE, "You are now offline.", "Set your status offline"),
    _being(DND, "Do Not Disturb is enabled.", "Do not disturb disables desktop and mobile push notifications"),
    BuiltIn("status", "Set your custom status", "[:emoji: text] or clear", _status),
    BuiltIn("msg", "Send a direct message to somebody", "@[username] [message]", _msg),
    BuiltIn("groupmsg", "Send a group message to several people", "@[username1],@[username2] [message]", _groupmsg),
    BuiltIn("logout", "Sign out", "", _logout),
)
