"""Settings are changed: checked, kept, written into the audit log, and told where others want to hear of it."""

from __future__ import annotations

from typing import Any

from manor import Transaction
from manor_stream.administering.ffmpeg import NotFfmpeg, encoders_of, version_of
from manor_stream.events import StreamTitleChanged
from manor_stream.parts import Shared
from manor_stream.setting_rules import CODECS, RULES, Unfit
from manor_stream.settings import StreamSettings


class Changing:
    """Changes settings.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def set(self, path: str, value: Any, *, actor: str) -> str:
        """Set something: kept before this returns, and in force where that can be.

        Args:
            path: What stands behind `/api/admin/config/`.
            value: Of the rule's shape.
            actor: For the audit log: `admin`, or the id of a credential.

        Returns:
            A sentence for whoever asked; it says when the change takes effect, if not at once.

        Raises:
            Unfit: It cannot be had; nothing is changed.
        """
        rule = RULES[path]
        fitting = rule.check(value)
        await self._ask_ffmpeg(rule.setting, fitting)

        def also(transaction: Transaction, after: StreamSettings, names: tuple[str, ...]) -> None:
            # Without the values: some are secrets.
            self._shared.context.audit.record(
                transaction, "stream.settings_changed", actor=actor, detail={"settings": names}
            )
            if "stream_title" in names:
                transaction.emit(
                    StreamTitleChanged(
                        stream_title=after.stream_title,
                        server_name=after.name,
                        summary=after.summary,
                        timestamp=transaction.now,
                    )
                )

        await self._shared.settings.change(also=also, **{rule.setting: fitting})
        return rule.done

    async def codecs(self) -> list[str]:
        """Video encoders that may be asked for and that the ffmpeg in use has; none without one."""
        try:
            there_are = await encoders_of(self.ffmpeg)
        except NotFfmpeg:
            return []
        return [name for name in CODECS if name in there_are]

    @property
    def ffmpeg(self) -> str:
        """The one in use."""
        return self._shared.settings.now.ffmpeg_path or self._shared.config.ffmpeg

    async def _ask_ffmpeg(self, setting: str, value: str) -> None:
        try:
            if setting == "ffmpeg_path" and value:
                await version_of(value)
            if setting == "codec" and value not in await encoders_of(self.ffmpeg):
                raise Unfit(f"expected a codec that {self.ffmpeg} has: {', '.join(await self.codecs()) or 'none'}")
        except NotFfmpeg as error:
            raise Unfit(f"expected an ffmpeg: {error}") from error
