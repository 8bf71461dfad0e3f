"""The numbers of playlists, which go on where the daemon before left off."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table
from sqlalchemy.schema import CreateTable

from manor import Migration


def _run(connection: Connection) -> None:
    numbers = Table(
        "stream_playlist_numbers",
        MetaData(),
        Column("name", String, primary_key=True),
        Column("next", BigInteger, nullable=False),
    )
    connection.execute(CreateTable(numbers))


STEP = Migration("0005_numbers", _run)
