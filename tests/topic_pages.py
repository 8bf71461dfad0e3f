"""People who look at topics in a browser and have a program besides."""

from __future__ import annotations

from manor.testing import Client, House
from tests.page_reading import Reader
from tests.people import PASSWORD, made
from tests.topic_people import asking_as


async def signed_in(house: House, client: Client, username: str = "ada") -> tuple[Reader, Client]:
    """Somebody's browser, and their program."""
    user_id = await made(house, username)
    reader = Reader(client)
    await reader.open("/login")
    await reader.send("/login", login=username, password=PASSWORD)
    return reader, asking_as(house, user_id)
