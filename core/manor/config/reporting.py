"""Talk about the configuration: what there is to set, what is set and by whom, and what a reload would change."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from manor.config.decoding import is_marked, is_struct, metas_of, without_none
from manor.config.keys import dotted
from manor.config.loading import Loaded, decode_plugin, plugin_enabled
from manor.config.shape import Config

Shapes = Mapping[str, type[msgspec.Struct]]
"""Installed plugins' configuration structs, by plugin name."""


@dataclass(frozen=True)
class Key:
    """One thing that may be set.

    Args:
        name: Dotted; a secret is named by its `…_file`.
        type: For people: `int, 1 to 65535`, `array of str`, `"open" or "closed"`.
        default: As it stands in the struct.
        meaning: One or two sentences.
        is_live: Whether a reload applies it.
    """

    name: str
    type: str
    default: Any
    meaning: str
    is_live: bool


@dataclass(frozen=True)
class Setting:
    """A key as it is set now, its value in types that JSON knows, and where that came from.

    The source is a file, `environment MANOR_…` or `default`. The value of a secret is None.
    """

    key: str
    value: Any
    source: str
    is_secret: bool = False


@dataclass(frozen=True)
class _Leaf:
    path: tuple[str, ...]
    type: Any
    info: msgspec.structs.FieldInfo
    metas: list[msgspec.Meta]
    is_live: bool

    @property
    def is_secret(self) -> bool:
        return is_marked(self.metas, "secret")


def _leaves(shape: type[Any], path: tuple[str, ...], is_live: bool = False) -> Iterator[_Leaf]:
    for info in msgspec.structs.fields(shape):
        bare, metas = metas_of(info.type)
        here = (*path, info.encode_name)
        live = is_live or is_marked(metas, "live")
        if is_struct(bare):
            yield from _leaves(bare, here, live)
        else:
            yield _Leaf(here, bare, info, metas, live)


def keys(shape: type[msgspec.Struct], prefix: tuple[str, ...] = ()) -> list[Key]:
    """Every key of a struct and of the structs in it, in the order in which they are declared."""
    return [
        Key(
            name=dotted(leaf.path) + ("_file" if leaf.is_secret else ""),
            type="path" if leaf.is_secret else _type_name(leaf.type) + _bounds(leaf.metas),
            default=_default(leaf.info),
            meaning=next((meta.description for meta in leaf.metas if meta.description), ""),
            is_live=leaf.is_live,
        )
        for leaf in _leaves(shape, prefix)
    ]


def _default(info: msgspec.structs.FieldInfo) -> Any:
    if info.default is not msgspec.NODEFAULT:
        return info.default
    return None if info.default_factory is msgspec.NODEFAULT else info.default_factory()


def _bounds(metas: list[msgspec.Meta]) -> str:
    """What follows the type when not every number will do."""
    for meta in metas:
        if meta.ge is not None and meta.le is not None:
            return f", {meta.ge} to {meta.le}"
        for word, bound in (("at least", meta.ge), ("above", meta.gt), ("at most", meta.le), ("below", meta.lt)):
            if bound is not None:
                return f", {word} {bound}"
    return ""


def _type_name(type_: Any) -> str:
    bare, _ = metas_of(type_)
    bare, _ = without_none(bare)
    origin, arguments = get_origin(bare), get_args(bare)
    if bare is Path:
        return "path"
    if origin is Literal:
        return " or ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(arm) for arm in arguments)
    if origin in (list, tuple, set, frozenset):
        return f"array of {_type_name(arguments[0])}"
    if origin is dict:
        return f"table of {_type_name(arguments[1])}"
    return str(getattr(bare, "__name__", bare))


def settings(loaded: Loaded, shapes: Shapes) -> list[Setting]:
    """Every key with its value and source, for `manor config show`; secrets are blanked.

    A plugin's table shows its defaults too when its shape is given. Without one nobody knows which of its values are
    secrets, so none is shown.
    """
    shown = [
        _setting(loaded, leaf, loaded.config, 0)
        for leaf in _leaves(Config, ())
        if leaf.path not in (("tiers",), ("plugins",))
    ]
    for tier, limits in loaded.config.tiers.items():
        for name, value in limits.items():
            key = dotted(("tiers", tier, name))
            shown.append(Setting(key, value, loaded.source_of(key)))
    for name in dict.fromkeys((*shapes, *loaded.config.plugins)):
        if "enabled" in loaded.config.plugins.get(name, {}):
            key = dotted(("plugins", name, "enabled"))
            shown.append(Setting(key, plugin_enabled(loaded, name, default=False), loaded.source_of(key)))
        if name in shapes:
            config = decode_plugin(loaded, name, shapes[name])
            shown += [_setting(loaded, leaf, config, 2) for leaf in _leaves(shapes[name], ("plugins", name))]
        else:
            prefix = dotted(("plugins", name)) + "."
            shown += [
                Setting(key, None, source, is_secret=True)
                for key, source in loaded.sources.items()
                if key.startswith(prefix) and key != f"{prefix}enabled"
            ]
    return shown


def _setting(loaded: Loaded, leaf: _Leaf, config: msgspec.Struct, skip: int) -> Setting:
    key = dotted(leaf.path)
    if not leaf.is_secret:
        value = _without_secrets(leaf.type, _value(config, leaf, skip))
        shown = "" if value is None else msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
        return Setting(key, shown, _source(loaded, key))
    if key in loaded.sources:
        return Setting(key, None, loaded.sources[key], is_secret=True)
    file = _written(loaded.tables, (*leaf.path[:-1], f"{leaf.path[-1]}_file"))
    return Setting(f"{key}_file", file, loaded.source_of(f"{key}_file"))


def _without_secrets(type_: Any, value: Any) -> Any:
    """A value as it may be shown: of tables within tables, such as one for each provider, without what is secret."""
    bare, metas = metas_of(type_)
    if is_marked(metas, "secret"):
        return None
    inner, is_optional = without_none(bare)
    if is_optional:
        return None if value is None else _without_secrets(inner, value)
    if get_origin(bare) is dict:
        return {name: _without_secrets(get_args(bare)[1], each) for name, each in value.items()}
    if get_origin(bare) in (list, tuple, set, frozenset):
        return [_without_secrets(get_args(bare)[0], each) for each in value]
    if is_struct(bare):
        fields = msgspec.structs.fields(bare)
        return {info.encode_name: _without_secrets(info.type, getattr(value, info.name)) for info in fields}
    return value


def _source(loaded: Loaded, key: str) -> str:
    """The source of a leaf, or of what stands below it when its value is a table."""
    inside = [where for known, where in loaded.sources.items() if known.startswith(f"{key}.")]
    return loaded.sources.get(key) or ", ".join(dict.fromkeys(inside)) or "default"


def _written(table: Any, path: tuple[str, ...]) -> str:
    for part in path:
        table = table.get(part, {}) if isinstance(table, Mapping) else {}
    return str(table) if isinstance(table, str) else ""


def differences(old: Loaded, new: Loaded, shapes: Shapes | None = None) -> tuple[list[str], list[str]]:
    """Dotted keys that differ: those that a reload applies, and those that need a restart.

    Args:
        old: As the house runs.
        new: As the files are now.
        shapes: The installed plugins' structs; they say which keys are live. A plugin without one needs a restart.

    Raises:
        AdminFault: A plugin's table cannot be decoded.
    """
    live: list[str] = []
    restart: list[str] = []
    for leaf in _leaves(Config, ()):
        if leaf.path[0] not in ("tiers", "plugins") and _value(old.config, leaf, 0) != _value(new.config, leaf, 0):
            (live if leaf.is_live else restart).append(dotted(leaf.path))
    for tier in dict.fromkeys((*old.config.tiers, *new.config.tiers)):
        before, after = old.config.tiers.get(tier, {}), new.config.tiers.get(tier, {})
        live += [
            dotted(("tiers", tier, name))
            for name in dict.fromkeys((*before, *after))
            if before.get(name) != after.get(name)
        ]
    for name in dict.fromkeys((*old.config.plugins, *new.config.plugins)):
        raw_before, raw_after = old.config.plugins.get(name, {}), new.config.plugins.get(name, {})
        shape = (shapes or {}).get(name)
        if raw_before.get("enabled") != raw_after.get("enabled"):
            restart.append(dotted(("plugins", name, "enabled")))
        if shape is None:
            restart += [
                dotted(("plugins", name, key))
                for key in dict.fromkeys((*raw_before, *raw_after))
                if key != "enabled" and raw_before.get(key) != raw_after.get(key)
            ]
            continue
        decoded_before, decoded_after = decode_plugin(old, name, shape), decode_plugin(new, name, shape)
        for leaf in _leaves(shape, ("plugins", name)):
            if _value(decoded_before, leaf, 2) != _value(decoded_after, leaf, 2):
                (live if leaf.is_live else restart).append(dotted(leaf.path))
    return live, restart


def _value(struct: Any, leaf: _Leaf, skip: int) -> Any:
    """A leaf's value in a decoded struct; the first `skip` steps of its path stand above the struct."""
    for name in leaf.path[skip:]:
        attribute = next(info.name for info in msgspec.structs.fields(struct) if info.encode_name == name)
        struct = getattr(struct, attribute)
    return struct
