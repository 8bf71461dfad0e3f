"""A bot as most are: mattermostdriver with a personal access token, a WebSocket, replies and reactions.

    python chat_bot.py URL PERSON PASSWORD

PERSON, who administers the server, makes the bot and its token, talks to it, and reads what it did. One line of JSON
says what was seen.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from typing import Any
from urllib.parse import urlsplit

from mattermostdriver import Driver
from mattermostdriver.exceptions import NoAccessTokenProvided, NotEnoughPermissions, ResourceNotFound

DEADLINE = 30.0


def driver(url: str, **credentials: Any) -> Driver:
    parts = urlsplit(url)
    made = Driver({"url": parts.hostname, "port": parts.port, "scheme": parts.scheme, "verify": False, **credentials})
    made.login()
    return made


def refused(kind: type[Exception], call: Any, *arguments: Any) -> str:
    try:
        call(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError(f"{call} was not refused")


def main() -> None:
    url, person, password = sys.argv[1:]
    ann = driver(url, login_id=person, password=password)
    team = ann.teams.create_team({"name": "bots", "display_name": "Bots", "type": "O"})
    channel = ann.channels.get_channel_by_name(team["id"], "off-topic")
    bot = ann.client.make_request("post", "/bots", options={"username": "watcher", "display_name": "Watcher"}).json()
    ann.teams.add_user_to_team(team["id"], {"team_id": team["id"], "user_id": bot["user_id"]})
    ann.channels.add_user(channel["id"], {"user_id": bot["user_id"]})
    made = ann.users.create_user_access_token(bot["user_id"], {"description": "for the test"})
    watcher = driver(url, token=made["token"])
    assert watcher.client.userid == bot["user_id"]

    answered = threading.Event()
    told: list[dict[str, Any]] = []

    async def hear(message: str) -> None:
        event = json.loads(message)
        told.append(event)
        if event.get("event") == "hello":
            threading.Thread(target=talk).start()
        if event.get("event") != "posted":
            return
        post = json.loads(event["data"]["post"])
        if post["user_id"] == bot["user_id"] or bot["user_id"] not in json.loads(event["data"].get("mentions", "[]")):
            return
        root = post["root_id"] or post["id"]
        reply = {"channel_id": post["channel_id"], "message": "At your service", "root_id": root}
        watcher.posts.create_post(reply)
        watcher.reactions.create_reaction(
            {"user_id": bot["user_id"], "post_id": post["id"], "emoji_name": "white_check_mark"}
        )
        answered.set()

    def talk() -> None:
        code = 1
        try:
            asked = ann.posts.create_post({"channel_id": channel["id"], "message": "Are you there, @watcher?"})
            assert answered.wait(DEADLINE), told
            thread = ann.posts.get_thread(asked["id"])
            messages = sorted(post["message"] for post in thread["posts"].values())
            # The driver asks for `/posts/ID//reactions`.
            reactions = [each["emoji_name"] for each in ann.reactions.get_reactions_of_post(asked["id"])]
            missing = refused(ResourceNotFound, ann.posts.get_post, "y" * 26)
            watcher_may_not = refused(
                NotEnoughPermissions, watcher.teams.remove_user_from_team, team["id"], ann.client.userid
            )
            ann.users.disable_personal_access_token({"token_id": made["id"]})
            closed = refused(NoAccessTokenProvided, watcher.users.get_user, "me")
            seen = {
                "messages": messages,
                "reactions": reactions,
                "missing": missing,
                "forbidden": watcher_may_not,
                "closed": closed,
                "first": told[0].get("event") or told[0].get("status"),
            }
            sys.stdout.write(json.dumps(seen) + "\n")
            sys.stdout.flush()
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            # The driver's WebSocket connects again for ever.
            os._exit(code)

    watcher.init_websocket(hear)


if __name__ == "__main__":
    main()
