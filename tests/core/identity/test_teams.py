"""Teams: made, joined by invite, led, left, and handed over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from manor.clock import SetClock
from manor.errors import BadRequest, Conflict, Forbidden, NotFound, Refused, Unprocessable
from manor.events import Event
from manor.identity import (
    MemberChanged,
    NewUser,
    Team,
    TeamChanged,
    TeamDeleted,
    User,
    accept_invite,
    add_member,
    add_user,
    cancel_invite,
    count_members,
    count_seats,
    create_team,
    delete_team,
    find_member,
    find_team,
    invite,
    list_all_teams,
    list_members,
    list_teams,
    pending_invites,
    remove_member,
    resend_invite,
    set_role,
    set_team_active,
    update_team,
)
from manor.identity.teams import leave_teams
from manor.storage import Storage, new_id

WEEK = timedelta(days=7)


@pytest.fixture
async def bea(storage: Storage, ada: User, heard: list[Event]) -> User:
    user = await storage.write(
        partial(add_user, new=NewUser(username="Bea", email="Bea@example.org", tier="FREE", is_verified=True))
    )
    heard.clear()
    return user


@pytest.fixture
async def team(storage: Storage, ada: User, bea: User, heard: list[Event]) -> Team:
    made = await storage.write(partial(create_team, owner_id=ada.id, name="garden", display_name="Garden"))
    heard.clear()
    return made


async def refused(storage: Storage, act: Callable[..., Any], error: type[Refused]) -> Refused:
    with pytest.raises(error) as caught:
        await storage.write(act)
    return caught.value


# --- Teams ---------------------------------------------------------------------------------------------------------


async def test_a_team_begins_with_its_owner(storage: Storage, ada: User, heard: list[Event]) -> None:
    team = await storage.write(partial(create_team, owner_id=ada.id, name="garden", display_name="Garden"))

    assert await storage.read(partial(find_team, name="garden")) == team
    assert await storage.read(partial(list_teams, user_id=ada.id)) == [team]
    [member] = await storage.read(partial(list_members, team_id=team.id))
    assert (member.user_id, member.username, member.role, member.is_active) == (ada.id, "Ada", "owner", True)
    assert heard == [TeamChanged(team_id=team.id), MemberChanged(team_id=team.id, user_id=ada.id)]


@pytest.mark.parametrize("name", ["", "a", "A-team", "two words", "x" * 65, "garden\n", "gärten"])
async def test_a_name_that_cannot_be_is_refused(storage: Storage, ada: User, name: str) -> None:
    error = await refused(
        storage, partial(create_team, owner_id=ada.id, name=name, display_name="Garden"), Unprocessable
    )

    assert [problem.field for problem in error.errors] == ["name"]


@pytest.mark.parametrize("display_name", ["", "x" * 101, "two\r\nlines"])
async def test_a_display_name_that_cannot_be_is_refused(storage: Storage, ada: User, display_name: str) -> None:
    act = partial(create_team, owner_id=ada.id, name="garden", display_name=display_name)

    assert [problem.field for problem in (await refused(storage, act, Unprocessable)).errors] == ["display_name"]


async def test_a_name_is_taken_once(storage: Storage, bea: User, team: Team) -> None:
    await refused(storage, partial(create_team, owner_id=bea.id, name="garden", display_name="Other"), Conflict)


async def test_what_a_team_says_of_itself_changes_and_what_is_left_out_stays(
    storage: Storage, team: Team, heard: list[Event]
) -> None:
    described = await storage.write(partial(update_team, team_id=team.id, description="roses"))
    renamed = await storage.write(partial(update_team, team_id=team.id, display_name="Roses"))
    assert await storage.write(partial(update_team, team_id=team.id)) == renamed

    assert (described.display_name, renamed.display_name, renamed.description) == ("Garden", "Roses", "roses")
    assert heard == [TeamChanged(team_id=team.id)] * 2


async def test_a_deleted_team_leaves_no_members_and_no_invites(
    storage: Storage, ada: User, team: Team, heard: list[Event]
) -> None:
    await storage.write(partial(invite, team_id=team.id, email="new@example.org", role="member", invited_by_id=ada.id))

    await storage.write(partial(delete_team, team_id=team.id))

    assert await storage.read(partial(find_team, team_id=team.id)) is None
    assert await storage.read(partial(count_members, team_id=team.id)) == 0
    assert await storage.read(partial(pending_invites, email="new@example.org")) == []
    assert heard == [TeamDeleted(team_id=team.id)]


@pytest.mark.parametrize(
    "act",
    [
        partial(update_team, display_name="Other"),
        partial(set_team_active, is_active=False),
        partial(delete_team),
        partial(add_member, user_id=new_id()),
        partial(invite, email="new@example.org", role="member", invited_by_id=new_id()),
    ],
)
async def test_a_team_that_is_not_there_cannot_be_changed(storage: Storage, act: Callable[..., Any]) -> None:
    await refused(storage, partial(act, team_id=new_id()), NotFound)


# --- Members -------------------------------------------------------------------------------------------------------


async def test_somebody_joins_rises_and_leaves(storage: Storage, bea: User, team: Team, heard: list[Event]) -> None:
    joined = await storage.write(partial(add_member, team_id=team.id, user_id=bea.id))
    risen = await storage.write(partial(set_role, team_id=team.id, user_id=bea.id, role="admin"))
    await storage.write(partial(remove_member, team_id=team.id, user_id=bea.id))

    assert (joined.role, risen.role, risen.id) == ("member", "admin", joined.id)
    assert await storage.read(partial(find_member, team_id=team.id, user_id=bea.id)) is None
    changed = MemberChanged(team_id=team.id, user_id=bea.id)
    assert heard == [changed, changed, MemberChanged(team_id=team.id, user_id=bea.id, is_member=False)]


async def test_nobody_is_in_a_team_twice(storage: Storage, bea: User, team: Team) -> None:
    await storage.write(partial(add_member, team_id=team.id, user_id=bea.id))

    await refused(storage, partial(add_member, team_id=team.id, user_id=bea.id), Conflict)


async def test_somebody_who_is_not_there_joins_nothing(storage: Storage, team: Team) -> None:
    await refused(storage, partial(add_member, team_id=team.id, user_id=new_id()), NotFound)

    assert await storage.read(partial(count_members, team_id=team.id)) == 1


async def test_the_owner_is_neither_demoted_nor_removed(storage: Storage, ada: User, team: Team) -> None:
    await refused(storage, partial(set_role, team_id=team.id, user_id=ada.id, role="member"), Forbidden)
    await refused(storage, partial(remove_member, team_id=team.id, user_id=ada.id), Forbidden)


async def test_nobody_is_made_an_owner_by_a_role(storage: Storage, bea: User, team: Team) -> None:
    await refused(storage, partial(add_member, team_id=team.id, user_id=bea.id, role="owner"), Unprocessable)
    await storage.write(partial(add_member, team_id=team.id, user_id=bea.id))
    await refused(storage, partial(set_role, team_id=team.id, user_id=bea.id, role="owner"), Unprocessable)


# --- Invites -------------------------------------------------------------------------------------------------------


async def invited(storage: Storage, team: Team, email: str = "BEA@example.org") -> tuple[Any, str]:
    return await storage.write(partial(invite, team_id=team.id, email=email, role="admin", invited_by_id=team.owner_id))


async def test_an_invite_is_accepted_once_by_whom_it_was_sent_to(storage: Storage, bea: User, team: Team) -> None:
    _, token = await invited(storage, team)

    member = await storage.write(partial(accept_invite, token=token, user_id=bea.id))

    assert (member.user_id, member.role) == (bea.id, "admin")
    await refused(storage, partial(accept_invite, token=token, user_id=bea.id), Conflict)
    assert await storage.read(partial(pending_invites, team_id=team.id)) == []


async def test_an_invite_is_nobody_elses(storage: Storage, ada: User, bea: User, team: Team) -> None:
    _, token = await invited(storage, team, "new@example.org")

    await refused(storage, partial(accept_invite, token=token, user_id=bea.id), Forbidden)
    await refused(storage, partial(accept_invite, token=token + "x", user_id=bea.id), NotFound)


async def test_an_invite_lasts_a_week(storage: Storage, bea: User, team: Team, clock: SetClock) -> None:
    _, token = await invited(storage, team)
    clock.set(clock.now() + WEEK)

    await refused(storage, partial(accept_invite, token=token, user_id=bea.id), BadRequest)
    assert await storage.read(partial(pending_invites, email="bea@example.org")) == []
    await invited(storage, team)


async def test_sending_again_kills_the_old_link_and_begins_a_new_week(
    storage: Storage, bea: User, team: Team, clock: SetClock
) -> None:
    first, old = await invited(storage, team)
    clock.set(clock.now() + WEEK / 2)

    again, token = await storage.write(partial(resend_invite, invite_id=first.id))

    assert (again.id, again.expires_at) == (first.id, clock.now() + WEEK)
    await refused(storage, partial(accept_invite, token=old, user_id=bea.id), NotFound)
    assert (await storage.write(partial(accept_invite, token=token, user_id=bea.id))).user_id == bea.id


async def test_a_cancelled_invite_opens_nothing(storage: Storage, bea: User, team: Team) -> None:
    asked, token = await invited(storage, team)

    await storage.write(partial(cancel_invite, invite_id=asked.id))

    await refused(storage, partial(accept_invite, token=token, user_id=bea.id), BadRequest)
    await refused(storage, partial(resend_invite, invite_id=asked.id), BadRequest)


async def test_nobody_is_asked_twice_or_into_their_own_team(storage: Storage, team: Team) -> None:
    await invited(storage, team)

    for email in ("bea@EXAMPLE.org", "ada@example.org"):
        act = partial(invite, team_id=team.id, email=email, role="member", invited_by_id=team.owner_id)
        await refused(storage, act, Conflict)


async def test_a_team_that_is_switched_off_takes_nobody(storage: Storage, bea: User, team: Team) -> None:
    _, token = await invited(storage, team)
    await storage.write(partial(set_team_active, team_id=team.id, is_active=False))

    await refused(storage, partial(accept_invite, token=token, user_id=bea.id), Forbidden)
    act = partial(invite, team_id=team.id, email="new@example.org", role="member", invited_by_id=team.owner_id)
    await refused(storage, act, Forbidden)


# --- Seats ---------------------------------------------------------------------------------------------------------


def two(tier: str) -> int:
    return {"FREE": 2}[tier]


async def another(storage: Storage, team: Team, name: str) -> tuple[User, str]:
    """Somebody with an account, and an invite of theirs."""
    new = NewUser(username=name, email=f"{name}@example.org", tier="FREE", is_verified=True)
    user = await storage.write(partial(add_user, new=new))
    return user, (await invited(storage, team, f"{name}@example.org"))[1]


async def test_people_take_one_seat_in_all_teams_of_an_owner(storage: Storage, ada: User, bea: User) -> None:
    assert await storage.read(partial(count_seats, owner_id=ada.id)) == 0
    for name in ("garden", "kitchen"):
        made = await storage.write(partial(create_team, owner_id=ada.id, name=name, display_name=name))
        await storage.write(partial(add_member, team_id=made.id, user_id=bea.id))

    assert await storage.read(partial(count_seats, owner_id=ada.id)) == 2
    assert await storage.read(partial(count_seats, owner_id=bea.id)) == 0


async def test_the_last_seat_is_taken_by_joining_and_by_one(storage: Storage, bea: User, team: Team) -> None:
    cid, cids = await another(storage, team, "cid")
    dan, dans = await another(storage, team, "dan")

    await storage.write(partial(accept_invite, token=cids, user_id=cid.id, seats=two))

    await refused(storage, partial(accept_invite, token=dans, user_id=dan.id, seats=two), Forbidden)
    act = partial(invite, team_id=team.id, email="e@example.org", role="member", invited_by_id=team.owner_id)
    await refused(storage, partial(act, seats=two), Forbidden)
    await storage.write(partial(remove_member, team_id=team.id, user_id=cid.id))
    await storage.write(partial(accept_invite, token=dans, user_id=dan.id, seats=two))


async def test_who_is_in_another_team_of_the_owner_has_a_seat(storage: Storage, ada: User, bea: User) -> None:
    garden = await storage.write(partial(create_team, owner_id=ada.id, name="garden", display_name="Garden"))
    kitchen = await storage.write(partial(create_team, owner_id=ada.id, name="kitchen", display_name="Kitchen"))
    await storage.write(partial(add_member, team_id=garden.id, user_id=bea.id))

    act = partial(invite, team_id=kitchen.id, email="bea@example.org", role="member", invited_by_id=ada.id)
    _, token = await storage.write(partial(act, seats=two))

    assert (await storage.write(partial(accept_invite, token=token, user_id=bea.id, seats=two))).user_id == bea.id


async def test_all_teams_are_listed_a_page_at_a_time(storage: Storage, ada: User) -> None:
    for name in ("b", "a", "c"):
        await storage.write(partial(create_team, owner_id=ada.id, name=name * 2, display_name=name))

    first = await storage.read(partial(list_all_teams, limit=2))
    rest = await storage.read(partial(list_all_teams, after=first[-1].name, limit=2))

    assert [[team.name for team in page] for page in (first, rest)] == [["aa", "bb"], ["cc"]]


# --- Somebody goes -------------------------------------------------------------------------------------------------


async def test_a_team_goes_to_the_admin_who_has_been_in_it_longest(
    storage: Storage, ada: User, bea: User, team: Team, clock: SetClock
) -> None:
    for name, role in (("Member", "member"), ("First", "admin"), ("Second", "admin")):
        clock.set(clock.now() + timedelta(days=1))
        new = NewUser(username=name, email=f"{name}@example.org", tier="FREE")
        user = await storage.write(partial(add_user, new=new))
        await storage.write(partial(add_member, team_id=team.id, user_id=user.id, role=role))  # type: ignore[arg-type]

    while await storage.write(partial(leave_teams, user_id=ada.id, limit=500)):
        pass

    roles = {each.username: each.role for each in await storage.read(partial(list_members, team_id=team.id))}
    assert roles == {"Member": "member", "First": "owner", "Second": "admin"}
    there = await storage.read(partial(find_team, team_id=team.id))
    assert there is not None
    assert there.owner_id != ada.id


async def test_a_team_without_an_admin_is_deleted_a_batch_at_a_time(
    storage: Storage, ada: User, bea: User, team: Team, heard: list[Event]
) -> None:
    await storage.write(partial(add_member, team_id=team.id, user_id=bea.id))
    heard.clear()

    first = await storage.write(partial(leave_teams, user_id=ada.id, limit=1))
    assert first >= 1
    assert heard == []
    while await storage.write(partial(leave_teams, user_id=ada.id, limit=1)):
        pass

    assert heard == [TeamDeleted(team_id=team.id)]
    assert await storage.read(partial(list_teams, user_id=bea.id)) == []
