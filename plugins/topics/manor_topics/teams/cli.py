"""`manor teams`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manor.cli import call_house, config_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from manor_topics.teams.commands import TeamListed

PAGE = 1000

team_argument = click.argument("team", metavar="TEAM")


@click.group()
def teams() -> None:
    """Teams on this server; TEAM is a name or an id. Works with the daemon stopped and running."""


@teams.command("list")
@config_option
@json_option
def list_teams(config: Path | None, as_json: bool) -> None:
    """List all teams, by name."""
    from manor_topics.teams.commands import ListTeams, TeamsListed

    found = page = call_house(config, "teams.list", ListTeams(limit=PAGE), TeamsListed).teams
    while len(page) == PAGE:
        page = call_house(config, "teams.list", ListTeams(page[-1].name, PAGE), TeamsListed).teams
        found = found + page
    if as_json:
        print_json(found)
        return
    rows = [
        (team.name, team.owner, str(team.member_count), "active" if team.is_active else "deactivated", str(team.id))
        for team in found
    ]
    print_table(("NAME", "OWNER", "MEMBERS", "STATE", "ID"), rows)


@teams.command()
@team_argument
@config_option
@json_option
def deactivate(team: str, config: Path | None, as_json: bool) -> None:
    """Keep the members of a team out of its topics; nothing is deleted, and its owner may reactivate it."""
    from manor_topics.teams.commands import SetTeamActive, TeamListed

    listed = call_house(config, "teams.set_active", SetTeamActive(_text(team), False), TeamListed)
    _tell(listed, "is deactivated", as_json)


@teams.command()
@team_argument
@config_option
@json_option
def reactivate(team: str, config: Path | None, as_json: bool) -> None:
    """Let the members of a team in again."""
    from manor_topics.teams.commands import SetTeamActive, TeamListed

    listed = call_house(config, "teams.set_active", SetTeamActive(_text(team), True), TeamListed)
    _tell(listed, "is active", as_json)


@teams.command()
@team_argument
@click.option("--delete-topics", is_flag=True, help="Its topics too; else they become private ones of its owner.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
def delete(team: str, delete_topics: bool, yes: bool, config: Path | None, as_json: bool) -> None:
    """Delete a team with its memberships and invites."""
    from manor_topics.teams.commands import DeleteTeam, ShowTeam, TeamListed

    team = _text(team)
    if not yes:
        shown = call_house(config, "teams.show", ShowTeam(team), TeamListed)
        what = "with its topics" if delete_topics else "and leave its topics to its owner"
        click.confirm(f"Delete the team {shown.name} ({shown.id}) {what}?", abort=True, err=True)
        # The one that was shown, whichever has the name by now.
        team = str(shown.id)
    _tell(call_house(config, "teams.delete", DeleteTeam(team, delete_topics), TeamListed), "is deleted", as_json)


def _text(team: str) -> str:
    """Bytes of the command line that are not UTF-8 arrive as lone surrogates, and no team is called so."""
    return team.encode("utf-8", "replace").decode()


def _tell(listed: TeamListed, what: str, as_json: bool) -> None:
    if as_json:
        print_json(listed)
    else:
        click.echo(f"{listed.name} {what} ({listed.id})")
