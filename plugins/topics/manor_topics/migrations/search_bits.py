"""Where frequent terms stand in full blocks of the index."""

from __future__ import annotations

from sqlalchemy import Connection

from manor import Migration


def _run(connection: Connection) -> None:
    connection.exec_driver_sql(
        "CREATE TABLE topics_search_bits (block INTEGER NOT NULL, term VARCHAR NOT NULL, bits BLOB NOT NULL, "
        "PRIMARY KEY (block, term))"
    )


STEP = Migration("0012_search_bits", _run)
