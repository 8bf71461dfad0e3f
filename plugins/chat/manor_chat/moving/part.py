"""Moving in and out, as a part of the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from manor import Command, Lifespan, Migration, Part, remove_copies
from manor_chat.commands import IMPORT_SECONDS, Export, Import
from manor_chat.files.imaging import Studio
from manor_chat.migrations.moving import STEPS
from manor_chat.moving.exporting import export_bundle
from manor_chat.moving.importing import import_bundle
from manor_chat.moving.report import Report
from manor_chat.parts import Shared


class Moving(Part):
    """Imports and exports of the bulk format, by an admin's shell."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._studio = studio
        self._turn = trio.Lock()

    def migrations(self) -> Sequence[Migration]:
        """What finds the posts of a moment, and what is not counted yet."""
        return STEPS

    def commands(self) -> Sequence[Command]:
        """`manor chat import` and `manor chat export`."""
        return [
            Command("chat.import", Import, self._import, returns=Report, seconds=IMPORT_SECONDS),
            Command("chat.export", Export, self._export, returns=Report, seconds=IMPORT_SECONDS),
        ]

    def lifespan(self) -> Lifespan:
        """Remove copies of the tables that a process which was killed left."""

        @asynccontextmanager
        async def open_() -> AsyncIterator[None]:
            # In this thread: a clock that jumps, as in tests, does not see another one.
            remove_copies(self._shared.context.data_dir)
            yield

        return open_

    async def _import(self, wanted: Import) -> Report:
        async with self._turn:
            return await import_bundle(self._shared, self._studio, Path(wanted.path), is_dry_run=wanted.is_dry_run)

    async def _export(self, wanted: Export) -> Report:
        async with self._turn:
            return await export_bundle(self._shared, Path(wanted.path), with_files=wanted.with_files)
