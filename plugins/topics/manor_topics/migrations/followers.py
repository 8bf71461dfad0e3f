"""The places of those who follow what is published."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table
from sqlalchemy.schema import CreateTable

from manor import Migration


def _run(connection: Connection) -> None:
    followers = Table(
        "topics_followers",
        MetaData(),
        Column("name", String, primary_key=True),
        Column("position", BigInteger, nullable=False),
    )
    connection.execute(CreateTable(followers))


STEP = Migration("0004_followers", _run)
