"""Programs of the host: how they end, what they say, and what becomes of those that do not end."""

from __future__ import annotations

import pytest
import trio

from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import NotHere


async def test_a_program_that_is_not_installed_is_said_so() -> None:
    with pytest.raises(NotHere, match="no-such-program is not installed"):
        await HostPrograms().run(["no-such-program"])


async def test_what_a_program_says_is_heard_line_by_line() -> None:
    heard: list[str] = []
    done = await HostPrograms().run(["sh", "-c", "echo one; cat >&2; exit 3"], stdin=b"two\nthree", hear=heard.append)

    assert done.status == 3
    assert done.output == "one\ntwo\nthree"
    assert heard == ["one", "two", "three"]


async def test_a_program_sees_no_variables_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "key")
    done = await HostPrograms().run(["env"], env={"RESTIC": "yes"})

    assert {line.split("=")[0] for line in done.output.splitlines()} <= {"PATH", "HOME", "LC_ALL", "RESTIC"}


async def test_a_program_that_takes_too_long_is_ended_with_its_children() -> None:
    heard: list[str] = []
    with pytest.raises(trio.TooSlowError):
        await HostPrograms().run(["sh", "-c", "sleep 60 & echo $!; wait"], seconds=0.3, hear=heard.append)

    child = int(heard[0])
    with trio.fail_after(10):
        while _runs(child):  # noqa: ASYNC110 - nobody tells when somebody else's child ends
            await trio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - vanishes while it is read
            return file.read().split()[2] != "Z"
    except OSError:
        return False
