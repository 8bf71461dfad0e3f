"""`manor publish`, `manor subscribe` and `manor topics`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from manor.cli import Failure, call_house, config_option, json_option, print_json, url_option

_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""What a message may not do to the terminal of its reader."""


class _Text(click.types.StringParamType):
    """Text that can be sent: bytes of the command line that are not UTF-8 arrive as lone surrogates."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value as it came; a misuse when it is not UTF-8."""
        text = super().convert(value, param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("it is not UTF-8", param, ctx)
        return text


_TEXT = _Text()


@click.command()
@click.argument("topic", type=_TEXT)
@click.argument("message", type=_TEXT)
@click.option("--title", type=_TEXT, help="A line above the message.")
@click.option("--priority", type=click.IntRange(1, 5), help="1 is the most important; without it 3.")
@click.option("--tags", type=_TEXT, metavar="A,B", help="Words to filter by, with commas between them.")
@url_option
@config_option
@json_option
def publish(
    topic: str,
    message: str,
    title: str | None,
    priority: int | None,
    tags: str | None,
    url: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Publish MESSAGE (- reads it from standard input) to a TOPIC of the running daemon, and print its id.

    When it returns 0 the message is on disk.
    """
    from manor.cli.address import daemon_address
    from manor_topics import publish_client

    body: dict[str, Any] = {"message": _standard_input() if message == "-" else message}
    if title is not None:
        body["title"] = title
    if priority is not None:
        body["priority"] = priority
    if tags is not None:
        body["tags"] = [tag for tag in map(str.strip, tags.split(",")) if tag]
    answer = publish_client.publish(daemon_address(config, url), topic, body)
    click.echo(answer if as_json else json.loads(answer)["id"])


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise Failure("standard input is not UTF-8") from None


@click.command()
@click.argument("topics", type=_TEXT, metavar="TOPIC...", nargs=-1, required=True)
@click.option(
    "--since", type=_TEXT, metavar="WHEN", help="Begin with what is newer: 10m, 2h, a time, a message id, or all."
)
@url_option
@config_option
@json_option
def subscribe(topics: tuple[str, ...], since: str | None, url: str | None, config: Path | None, as_json: bool) -> None:
    """Print the messages of topics as they come, until Ctrl-C.

    A lost connection is made again, and goes on behind the last message that was printed.
    """
    import trio

    from manor.cli.address import daemon_address
    from manor_topics.client import Following, follow

    address = daemon_address(config, url)

    def tell(frame: Mapping[str, Any]) -> None:
        match frame.get("type"):
            case "ready":
                return
            case "gap":
                click.echo(frame.get("message"), err=True)
            case _ if as_json:
                click.echo(json.dumps(frame, ensure_ascii=False))
            case "message":
                click.echo(told(frame))

    async def hear_all() -> None:
        async with trio.open_nursery() as nursery:
            for topic in dict.fromkeys(topics):
                nursery.start_soon(follow, address, Following(topic, since or ""), tell)

    trio.run(hear_all)


def told(message: Mapping[str, Any]) -> str:
    """A message in one line for a terminal; further lines of it are indented, control characters are shown as such."""
    tags = " ".join(f"#{tag}" for tag in message.get("tags", ()))
    title = f"{message['title']}: " if message.get("title") else ""
    head = f"{message['timestamp'][:19]}Z  {message['topic']}  P{message['priority']}  "
    text = f"{title}{message['message']}{'  ' + tags if tags else ''}"
    return head + text.replace("\r\n", "\n").translate(_CONTROL).replace("\n", "\n    ")


@click.group()
def topics() -> None:
    """Topics on this server."""


@topics.command()
@click.argument("names", type=_TEXT, metavar="NAME...", nargs=-1, required=True)
@click.option("--description", type=_TEXT, help="What they are for.")
@click.option("--private", is_flag=True, help="Only their owner's people read them.")
@click.option("--discoverable", is_flag=True, help="List them for everyone; needs a description.")
@config_option
@json_option
def create(
    names: tuple[str, ...],
    description: str | None,
    private: bool,
    discoverable: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Create topics, all or none; they belong to the server itself. Works with the daemon stopped and running."""
    from manor_topics.commands import CreateTopics, TopicsCreated

    wanted = CreateTopics(
        names=list(names),
        description=description,
        access_level="private" if private else "public",
        is_discoverable=discoverable,
    )
    created = call_house(config, "topics.create", wanted, TopicsCreated)
    if as_json:
        print_json(created.topics)
    else:
        for topic in created.topics:
            click.echo(f"{topic.name} {topic.id}")


@topics.command()
@config_option
@json_option
def reindex(config: Path | None, as_json: bool) -> None:
    """Make the search index anew from the messages.

    Works with the daemon stopped and running; publishing and streams go on, searches wait or answer 503 meanwhile.
    """
    from manor_topics.commands import Reindex, Reindexed

    reindexed = call_house(config, "topics.reindex", Reindex(), Reindexed)
    if as_json:
        print_json(reindexed)
    else:
        click.echo(f"every message up to position {reindexed.position} is indexed")
