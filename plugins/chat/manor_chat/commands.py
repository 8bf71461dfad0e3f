"""What the shell's commands say to the house, and what it answers."""

from __future__ import annotations

import msgspec

IMPORT_SECONDS = 86_400.0
"""How long an import or an export may take: a day."""


class Import(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take over what is in a file of the bulk format.

    Args:
        path: The file of lines, or a zip of it with what it names; absolute, as the house sees it.
        is_dry_run: Whether it is only said what would become of it.
    """

    path: str
    is_dry_run: bool = False


class Export(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Write all that is in chat into a zip of the bulk format.

    Args:
        path: The zip; absolute, as the house sees it. Nothing may be there yet.
        with_files: Whether files and pictures go into it.
    """

    path: str
    with_files: bool = True
