"""The host's back end in the box, asked from outside; and what tests need around it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from manor_hostservices.refusals import REFUSALS
from manor_hostservices.verbs import JobKind, Verb
from tests.box.machine import Box

A = TypeVar("A")

STATE = "/var/lib/manor-host/state.json"
DROP_IN = "/etc/ssh/sshd_config.d/50-manor.conf"
HASH = "$6$saltsalt$" + "a" * 86
"""A password's, which is none."""

CONFIG: dict[str, Any] = {
    "primary_user": "chief",
    "dkim_file": "/var/dkim/example.org.selector.txt",
    "services": {
        "gitea": {"units": ["toy-gitea.service"], "also": ["toy-gitea.timer", "toy-none.timer"], "data": ["/srv/toy"]},
        "nextcloud": {"units": ["toy-php.service", "toy-web.service"]},
        "pleroma": {"units": ["toy-broken.service"]},
        "ocserv": {"units": ["toy-masked.service"]},
        "locked": {"units": ["toy-php.service"], "switchable": False},
    },
}
_UNITS = "/usr/local/lib/systemd/system"
_DRIVER, _CONFIG = "/opt/host/driver.py", "/opt/host/config.json"


class Heard(msgspec.Struct):
    """What a job said."""

    messages: list[str]
    lines: list[str]
    fractions: list[float]


def until(is_so: Callable[[], bool], otherwise: str, *, within: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


class HostInBox:
    """The back end, in a process of its own in the box.

    Args:
        box: The box; Manor is installed there.
        talk: The process, which answers a line for each.
    """

    def __init__(self, box: Box, talk: subprocess.Popen[str]) -> None:
        self.box = box
        self._talk = talk

    def ask(self, verb: Verb[A]) -> A:
        """Ask a verb; what is refused there raises here."""
        answer: A = msgspec.convert(self._say(msgspec.json.encode(verb)), type=verb.answer_type())
        return answer

    def perform(self, kind: JobKind, *, dry_run: bool = False, force: bool = False) -> Heard:
        """Do a job to its end."""
        asked = msgspec.json.encode({"perform": kind, "dry_run": dry_run, "force": force})
        return msgspec.convert(self._say(asked), type=Heard)

    def _say(self, line: bytes) -> Any:
        assert self._talk.stdin is not None
        assert self._talk.stdout is not None
        self._talk.stdin.write(line.decode() + "\n")
        self._talk.stdin.flush()
        answered = self._talk.stdout.readline()
        assert answered, "the back end in the box broke; what it said is above"
        answer = msgspec.json.decode(answered)
        if "refused" in answer:
            raise REFUSALS[answer["refused"]](answer["detail"])
        return answer["answer"]

    def forget(self) -> None:
        """Forget what was set."""
        (self.box.root / STATE.lstrip("/")).unlink(missing_ok=True)

    # --- What is so in the box, without asking it ------------------------------------------------------------------

    def read(self, path: str) -> str | None:
        """A file's text; None: there is none."""
        try:
            return (self.box.root / path.lstrip("/")).read_text()
        except FileNotFoundError:
            return None

    def state(self) -> dict[str, Any]:
        """What was noted of what was set."""
        decoded: dict[str, Any] = msgspec.json.decode(self.read(STATE) or "{}")
        return decoded

    def is_active(self, unit: str) -> str:
        """systemd's ActiveState."""
        return self.box.attempt("systemctl", "is-active", unit).stdout.strip()

    def is_enabled(self, unit: str) -> str:
        """systemd's UnitFileState."""
        return self.box.attempt("systemctl", "is-enabled", unit).stdout.strip()


@contextmanager
def host_in(box: Box, *, account: str = "root") -> Iterator[HostInBox]:
    """Run the back end in the box.

    Args:
        box: Manor is installed there.
        account: Whose process it is.
    """
    box.put(_DRIVER, (Path(__file__).parent / "host_driver.py").read_text())
    box.put(_CONFIG, msgspec.json.encode(CONFIG).decode())
    identity = ["setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups"] if account != "root" else []
    talk = box.converse(*identity, "/opt/manor/bin/python", _DRIVER, _CONFIG)
    try:
        yield HostInBox(box, talk)
    finally:
        assert talk.stdin is not None
        assert talk.stdout is not None
        talk.stdin.close()
        talk.wait(20)
        talk.stdout.close()


def put_toys(box: Box) -> None:
    """Put units into the box that stand for services."""
    install = "[Install]\nWantedBy=multi-user.target\n"
    for name in ("toy-gitea", "toy-php", "toy-web"):
        said = f"/bin/sh -c 'echo {name} is up; exec sleep infinity'"
        box.put(f"{_UNITS}/{name}.service", f"[Service]\nExecStart={said}\nMemoryAccounting=yes\n{install}")
    box.put(f"{_UNITS}/toy-broken.service", f"[Service]\nType=oneshot\nExecStart=/bin/false\n{install}")
    timer = "[Timer]\nOnActiveSec=1d\n[Install]\nWantedBy=timers.target\n"
    box.put(f"{_UNITS}/toy-gitea.timer", timer)
    masked = box.root / "etc/systemd/system/toy-masked.service"
    masked.symlink_to("/dev/null")
    # They take most of the time of a reload, and find nothing in a box.
    generators = box.root / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for generator in (box.root / "usr/lib/systemd/system-generators").iterdir():
        (generators / generator.name).symlink_to("/dev/null")
    box.run("systemctl", "daemon-reload")


class Server:
    """The SSH server in the box, on a port of its own that the box and this machine share.

    Args:
        box: The box.
        port: The port.
    """

    def __init__(self, box: Box, port: int) -> None:
        self.box = box
        self.port = port

    def prepare(self) -> None:
        """Let it start, and make a key to come in by."""
        box = self.box
        (box.root / "etc/systemd/system/ssh.service").unlink()  # the tree has it masked
        config = box.root / "etc/ssh/sshd_config"
        config.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\n{config.read_text()}")
        box.run("systemctl", "daemon-reload")
        box.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eve@laptop", "-f", "/root/key")

    @property
    def key(self) -> str:
        """The public key."""
        return (self.box.root / "root/key.pub").read_text().strip()

    def lets_in(self, user: str, *options: str) -> bool:
        """Whether somebody with the key comes in."""
        said = self.try_to_come_in(user, *options)
        assert said.returncode == 0 or re.search(r"Permission denied|Connection refused", said.stderr), said.stderr
        return said.returncode == 0

    def try_to_come_in(self, user: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Sign in by ssh and run `id -un`."""
        return self.box.attempt(
            "ssh", "-F", "none", "-i", "/root/key", "-p", str(self.port), "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            # The others take longer than all the rest.
            "-o", "KexAlgorithms=curve25519-sha256", *options,
            f"{user}@127.0.0.1", "id", "-un",
        )  # fmt: skip
