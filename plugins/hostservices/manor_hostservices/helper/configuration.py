"""The administrator's table as the root helper takes it: only from files that nobody but root can have written."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from manor import AdminFault, decode_texts
from manor_hostservices.config import HostConfig
from manor_hostservices.helper.trusted_files import ROOT, list_trusted, read_trusted
from manor_hostservices.refusals import Unconfigured

FOLDER = Path("/etc/manor")

MANAGED = "90-managed.toml"
"""The daemon writes this one."""

PLUGIN = "hostservices"


def load(folder: Path = FOLDER, owners: Collection[int] = ROOT) -> HostConfig:
    """Read `config.toml`, then `conf.d/*.toml` in the order of their names; no variables and no managed file.

    Args:
        folder: Has them.
        owners: User ids that are trusted.

    Raises:
        Unconfigured: The plugin is switched off, or the files cannot be used; the sentence names file and key.
    """
    texts: dict[str, bytes] = {}
    try:
        for path in (folder / "config.toml", *_drop_ins(folder / "conf.d", owners)):
            try:
                texts[str(path)] = read_trusted(path, owners)
            except FileNotFoundError:
                continue
        config, is_enabled = decode_texts(texts, PLUGIN, HostConfig)
    except OSError as error:
        raise Unconfigured(
            f"The root helper cannot read its configuration: {error.filename}: {error.strerror}"
        ) from error
    except AdminFault as fault:
        raise Unconfigured(f"The root helper does not take its configuration: {fault}") from fault
    if not is_enabled:
        raise Unconfigured(f"The root helper is off: [plugins.{PLUGIN}] enabled = true is not in {folder}")
    if config.backend == "sandbox":
        raise Unconfigured("The root helper does not serve a sandbox: the daemon does that by itself")
    return config


def _drop_ins(folder: Path, owners: Collection[int]) -> list[Path]:
    names = list_trusted(folder, owners)
    return [folder / name for name in names if name.endswith(".toml") and name[0] != "." and name != MANAGED]
