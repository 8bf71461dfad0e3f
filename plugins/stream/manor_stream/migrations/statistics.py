"""Statistics that outlive a restart: the most viewers there were, and how many there were when."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table
from sqlalchemy.schema import CreateTable

from manor import Migration, Time


def _run(connection: Connection) -> None:
    metadata = MetaData()
    peaks = Table(
        "stream_viewer_peaks",
        metadata,
        Column("name", String, primary_key=True),
        Column("viewers", BigInteger, nullable=False),
    )
    samples = Table(
        "stream_viewer_samples",
        metadata,
        Column("time", Time, primary_key=True),
        Column("viewers", BigInteger, nullable=False),
    )
    connection.execute(CreateTable(peaks))
    connection.execute(CreateTable(samples))


STEP = Migration("0004_statistics", _run)
