"""Load the configuration: find the files, lay them over one another, decode, and list every problem at once."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from manor.config.checks import SHIPPED_TIERS, findings
from manor.config.decoding import Decoding
from manor.config.keys import dotted, suggestion
from manor.config.shape import Config
from manor.config.sources import Layer, Merged, drop_ins, merge, parse_layer, read_layer, variable_layers
from manor.errors import AdminFault, Problem

S = TypeVar("S", bound=msgspec.Struct)

SYSTEM_FILE = Path("/etc/manor/config.toml")
MANAGED_NAME = "90-managed.toml"


@dataclass(frozen=True)
class Loaded:
    """A configuration without problems, and where each value came from.

    Args:
        config: Decoded; its paths are absolute.
        tables: As written, all sources laid over one another.
        sources: For each leaf that was written, by dotted key: a file, or `environment MANOR_…`.
        path: The config file in use; None when there is none.
        files: Every file that was read, in order.
        conf_d: The folder of drop-ins in use; it need not exist.
        cwd: What relative paths are below.
        warnings: What works and should be mended all the same.
        is_whole: Whether every file could be read; else what seems to be missing may stand in one that was not.
    """

    config: Config
    tables: Mapping[str, Any]
    sources: Mapping[str, str]
    path: Path | None
    files: tuple[Path, ...]
    conf_d: Path
    cwd: Path
    warnings: tuple[Problem, ...] = ()
    is_whole: bool = True

    @property
    def data_dir(self) -> Path:
        """The data directory, absolute."""
        return self.config.server.data_dir

    @property
    def managed_path(self) -> Path:
        """The file that commands write."""
        return self.conf_d / MANAGED_NAME

    def source_of(self, key: str) -> str:
        """Where a key's value came from; `default` when nobody wrote it."""
        return self.sources.get(key, "default")

    def where(self, key: str) -> str:
        """Where an admin mends this key: what a `Problem` names."""
        return _where(self.sources, key, self.path)


class Misread(AdminFault):
    """The configuration is wrong, and this is what could be read of it.

    Attributes:
        loaded: With defaults in place of what is wrong, to look for further problems in plugins' tables; None when it
            cannot be known which plugins are installed.
    """

    def __init__(self, problems: Sequence[Problem], loaded: Loaded | None) -> None:
        super().__init__(problems)
        self.loaded = loaded


def load(
    path: Path | None,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    *,
    system_file: Path = SYSTEM_FILE,
) -> Loaded:
    """Read all of the configuration but what is inside plugins' tables (see `decode_plugin`).

    Args:
        path: The config file; None looks for `./config.toml`, then `/etc/manor/config.toml`, and does without.
        environ: Variables such as `MANOR_SERVER__BIND`.
        cwd: What relative paths are below; the current folder by default.
        system_file: Where the second look goes.

    Raises:
        Misread: With every problem of every file and variable.
    """
    cwd = Path.cwd() if cwd is None else cwd.absolute()
    if path is None:
        path = next((place for place in (cwd / "config.toml", system_file) if place.exists()), None)
    else:
        path = cwd / path
    variables = variable_layers(environ)
    problems: list[Problem] = []

    first = [] if path is None else _read([path], problems)
    conf_d = (path.parent if path is not None else _early_data_dir(variables, cwd)) / "conf.d"
    try:
        found = drop_ins(conf_d)
    except OSError as error:
        found = []
        problems.append(Problem(str(conf_d), f"cannot be read: {error.strerror}"))
    layers = [*first, *_read(found, problems), *variables]

    merged = merge(layers)
    decoding = Decoding(lambda key: _where(merged.sources, key, path), cwd)
    config = decoding.struct(Config, merged.tables, ()) or Config()
    for name, table in config.plugins.items():
        if "enabled" in table:
            decoding.value(bool, table["enabled"], ("plugins", name, "enabled"))
    unfitting = [
        Problem(_where(merged.sources, key, path), f"{key}: {what}") for key, what in findings(config, decoding)
    ]
    is_whole = not problems
    if is_whole:
        # With a file that could not be read, what seems to be missing may stand in it.
        problems += unfitting
    problems = [*problems, *decoding.problems]
    loaded = Loaded(
        config=config,
        tables=merged.tables,
        sources=merged.sources,
        path=path,
        files=tuple(Path(layer.where) for layer in layers[: len(layers) - len(variables)]),
        conf_d=conf_d,
        cwd=cwd,
        warnings=tuple(_readable_secrets(merged, path, cwd)),
        is_whole=is_whole,
    )
    if problems:
        raise Misread(problems, None if decoding.has_failed("server.plugin_folders") else _with_tables(loaded))
    return loaded


def _with_tables(loaded: Loaded) -> Loaded:
    """The same with all plugins' tables that are tables: one that is none hides no other."""
    written = loaded.tables.get("plugins")
    tables = written if isinstance(written, Mapping) else {}
    plugins = {name: dict(table) for name, table in tables.items() if isinstance(table, Mapping)}
    return replace(loaded, config=msgspec.structs.replace(loaded.config, plugins=plugins))


def _read(paths: Iterable[Path], problems: list[Problem]) -> list[Layer]:
    return _sound(map(read_layer, paths), problems)


def _sound(read: Iterable[Layer | Problem], problems: list[Problem]) -> list[Layer]:
    layers = []
    for each in read:
        match each:
            case Layer() as layer:
                layers.append(layer)
            case Problem() as problem:
                problems.append(problem)
    return layers


def _early_data_dir(variables: Sequence[Layer], cwd: Path) -> Path:
    """The data directory as known before any drop-in is read: only a variable can have moved it."""
    server = merge(variables).tables.get("server", {})
    given = server.get("data_dir") if isinstance(server, dict) else None
    return cwd / Path(given or "data").expanduser()


def _where(sources: Mapping[str, str], key: str, path: Path | None) -> str:
    """The source of a key, else of something in it, else of what it is in, else the config file."""
    if key in sources:
        return sources[key]
    inside = next((where for known, where in sources.items() if key and known.startswith(f"{key}.")), None)
    if inside is not None:
        return inside
    above = key
    while above:
        above = above[: max(above.rfind("."), above.rfind("["), 0)]
        if above in sources:
            return sources[above]
    return "configuration" if path is None else str(path)


def _readable_secrets(merged: Merged, path: Path | None, cwd: Path) -> Iterator[Problem]:
    """Files of secrets that everybody may read."""
    for key, value in _leaves(merged.tables, ()):
        if not key[-1].endswith("_file") or not isinstance(value, str) or not value:
            continue
        file = cwd / Path(value).expanduser()
        if file.is_file() and file.stat().st_mode & stat.S_IROTH:
            name = dotted(key)
            where = _where(merged.sources, name, path)
            yield Problem(where, f"{name}: {file} may be read by everybody; chmod o= {file}")


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


# --- Plugins' tables -----------------------------------------------------------------------------------------------


def plugin_enabled(loaded: Loaded, name: str, default: bool) -> bool:
    """Whether the admin has this plugin on; without a word from him it is the plugin's own default."""
    enabled = loaded.config.plugins.get(name, {}).get("enabled", default)
    return enabled if isinstance(enabled, bool) else enabled == "true"  # a variable's text, seen to be one of both


def decode_plugin(loaded: Loaded, name: str, struct_type: type[S]) -> S:
    """Decode a plugin's table, or the defaults when there is none; unknown keys are refused at every level.

    Raises:
        AdminFault: With every problem of the table, such as `FILE: plugins.topics.key: expected int, got str`.
    """
    decoded, problems = read_plugin(loaded, name, struct_type)
    if decoded is None or problems:
        raise AdminFault(problems)
    return decoded


def read_plugin(loaded: Loaded, name: str, struct_type: type[S]) -> tuple[S | None, list[Problem]]:
    """Decode a plugin's table as far as that goes.

    Returns:
        The struct, with defaults in place of what is wrong (None where there is no default), and what is wrong.
    """
    table = {key: value for key, value in loaded.config.plugins.get(name, {}).items() if key != "enabled"}
    decoding = Decoding(loaded.where, loaded.cwd, is_whole=loaded.is_whole)
    return decoding.struct(struct_type, table, ("plugins", name)), decoding.problems


def decode_texts(texts: Mapping[str, bytes], name: str, struct_type: type[S]) -> tuple[S, bool]:
    """Decode a plugin's table from files that were read already, for a program of its own that trusts only those.

    Other tables in them are not looked at, and neither are variables.

    Args:
        texts: What stands in each file by its path, in the order in which they are laid over one another.
        name: The plugin's.
        struct_type: Its configuration.

    Returns:
        The table, and whether the plugin is enabled in it; without a word it is not.

    Raises:
        AdminFault: With every problem, such as `FILE: plugins.topics.key: expected int, got str`.
    """
    problems: list[Problem] = []
    merged = merge(_sound((parse_layer(where, data) for where, data in texts.items()), problems))
    if problems:
        raise AdminFault(problems)
    last = Path(list(texts)[-1]) if texts else None
    decoding = Decoding(lambda key: _where(merged.sources, key, last), Path("/"))
    plugins = decoding.value(dict[str, dict[str, Any]], merged.tables.get("plugins", {}), ("plugins",))
    if decoding.problems:
        raise AdminFault(decoding.problems)
    table = plugins.get(name, {})
    enabled = decoding.value(bool, table.get("enabled", False), ("plugins", name, "enabled"))
    inside = {key: value for key, value in table.items() if key != "enabled"}
    decoded = decoding.struct(struct_type, inside, ("plugins", name))
    if decoded is None or decoding.problems:
        raise AdminFault(decoding.problems)
    return decoded, enabled


def unknown_plugins(loaded: Loaded, installed: Iterable[str]) -> list[Problem]:
    """A problem for each `[plugins.NAME]` whose plugin is not installed."""
    names = sorted(installed)
    there = ", ".join(names) or "none"
    problems = []
    for name in loaded.config.plugins:
        if name not in names:
            key = dotted(("plugins", name))
            what = f"no plugin {name!r} is installed{suggestion(name, names)}; installed are {there}"
            problems.append(Problem(loaded.where(key), f"{key}: {what}"))
    return problems


# --- Tiers ---------------------------------------------------------------------------------------------------------


class DeclaredLimit(Protocol):
    """What a plugin declares with `manor_tier_limits`."""

    @property
    def name(self) -> str:
        """The key in `[tiers.NAME]`."""
        ...

    @property
    def defaults(self) -> dict[str, int]:
        """By tier; `""` is for every other tier."""
        ...


def tier_limits(loaded: Loaded, declared: Iterable[DeclaredLimit]) -> dict[str, dict[str, int]]:
    """Every tier's limits: the shipped tiers and the admin's own, each with all declared limits; 0 is no limit.

    Raises:
        AdminFault: For limits that nobody declares.
    """
    limits = {limit.name: limit.defaults for limit in declared}
    written = loaded.config.tiers
    problems = []
    for tier, table in written.items():
        for name in table:
            if name not in limits:
                key = dotted(("tiers", tier, name))
                problems.append(Problem(loaded.where(key), f"{key}: unknown limit{suggestion(name, limits)}"))
    if problems:
        raise AdminFault(problems)
    return {
        tier: {name: defaults.get(tier, defaults.get("", 0)) for name, defaults in limits.items()}
        | written.get(tier, {})
        for tier in dict.fromkeys((*SHIPPED_TIERS, *written))
    }
