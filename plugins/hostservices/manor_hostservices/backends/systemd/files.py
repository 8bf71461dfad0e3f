"""Changing the host's own files: what the system says against it is the host's refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manor_hostservices.refusals import Failed, NotHere
from manor_hostservices.stored import write_whole

ONLY_ROOT = "Only the root helper may do this"


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn errors of the system into refusals.

    Args:
        what: What cannot be done, for a person; such as `The keys cannot be kept`.

    Raises:
        NotHere: We may not.
        Failed: Anything else, such as a full disk.
    """
    try:
        yield
    except PermissionError as error:
        raise NotHere(ONLY_ROOT) from error
    except OSError as error:
        raise Failed(f"{what}: {error.strerror}") from error


@contextmanager
def replaced(path: Path, text: str) -> Iterator[None]:
    """Write a configuration file that everybody may read; it is as it was before when what is done with it raises.

    Args:
        path: The file, which need not be there.
        text: What is in it.
    """
    with refusing("The configuration cannot be written"):
        path.parent.mkdir(mode=0o755, exist_ok=True)
        try:
            before = path.read_bytes()
        except FileNotFoundError:
            before = None
        write_whole(path, text.encode(), 0o644)
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink()
        else:
            write_whole(path, before, 0o644)
        raise
