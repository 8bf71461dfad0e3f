"""What templates were compiled to, kept for the whole process.

Every plugin has an environment of its own and shows the core's templates in it, and a test opens many houses with the
same plugins: left to themselves, all of them compile the same again.
"""

from __future__ import annotations

from types import CodeType

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class Compiled(BytecodeCache):
    """Code by template and the checksum of its source, so that a changed template is compiled again.

    Only for environments that compile alike: jinja2's key says nothing of how.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Put what is kept into the bucket, if anything is."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()
