"""Settings are changed: checked, kept, written into the audit log, and told where others want to hear of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor import Transaction
from manor_stream.events import StreamTitleChanged
from manor_stream.parts import Shared
from manor_stream.setting_rules import RULES, Unfit
from manor_stream.settings import StreamSettings
from manor_stream.transcoding.abilities import KnownAbilities, NoFfmpeg


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
        fitting = await self.check(path, value)

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

    async def check(self, path: str, value: Any) -> Any:
        """The value as it would be kept, of the rule's shape.

        Raises:
            Unfit: It cannot be had.
        """
        rule = RULES[path]
        fitting = rule.check(value)
        await self._ask_ffmpeg(rule.setting, fitting)
        return fitting

    async def codecs(self) -> Sequence[str]:
        """Video encoders that may be asked for and that the ffmpeg in use has; none without one."""
        try:
            return (await self._abilities.ask(self.ffmpeg)).codecs
        except NoFfmpeg:
            return ()

    @property
    def ffmpeg(self) -> str:
        """The one in use."""
        return self._shared.broadcasts.means.ffmpeg

    @property
    def _abilities(self) -> KnownAbilities:
        return self._shared.broadcasts.means.known

    async def _ask_ffmpeg(self, setting: str, value: str) -> None:
        try:
            if setting == "ffmpeg_path" and value:
                await self._abilities.ask(value)
            if setting == "codec" and value not in (codecs := (await self._abilities.ask(self.ffmpeg)).codecs):
                raise Unfit(f"expected a codec that {self.ffmpeg} has: {', '.join(codecs) or 'none'}")
        except NoFfmpeg as error:
            raise Unfit(f"expected an ffmpeg: {error}") from error
