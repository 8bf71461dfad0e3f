"""One plugin's table, from files that somebody else has read."""

from __future__ import annotations

import msgspec
import pytest

from manor import AdminFault, decode_texts


class Bell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rings: int = 2
    labels: dict[str, int] = {}


def test_later_files_win_key_by_key() -> None:
    texts = {
        "/etc/first.toml": b"[plugins.bell]\nenabled = true\nrings = 3\n[plugins.bell.labels]\na = 1\n",
        "/etc/second.toml": b"[server]\nwhat = 'ever'\n[plugins.bell]\nrings = 4\n",
    }

    assert decode_texts(texts, "bell", Bell) == (Bell(4, {"a": 1}), True)


@pytest.mark.parametrize("text", [b"", b"[plugins.other]\nenabled = true\n", b"[plugins.bell]\nenabled = false\n"])
def test_a_plugin_is_off_without_a_word(text: bytes) -> None:
    assert decode_texts({"/etc/one.toml": text}, "bell", Bell) == (Bell(), False)


def test_every_problem_is_told_with_its_file() -> None:
    texts = {"/a.toml": b"[plugins.bell]\nenabled = 3\nrings = 'x'\n", "/b.toml": b"[plugins.bell]\nringz = 1\n"}

    with pytest.raises(AdminFault) as refused:
        decode_texts(texts, "bell", Bell)

    assert sorted(map(str, refused.value.problems)) == [
        "/a.toml: plugins.bell.enabled: expected bool, got int",
        "/a.toml: plugins.bell.rings: expected int, got str",
        "/b.toml: plugins.bell.ringz: unknown key; did you mean 'rings'?",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[plugins.bell\n", "/a.toml: line 1, column 14: expected ']' at the end of a table declaration"),
        (b"x = '\xff'\n", "/a.toml: line 1, column 6: not UTF-8"),
        (b"plugins = 3\n", "/a.toml: plugins: expected a table, got int"),
        (b"[plugins]\nbell = 3\n", "/a.toml: plugins.bell: expected a table, got int"),
    ],
)
def test_a_file_that_is_none_is_told(text: bytes, problem: str) -> None:
    with pytest.raises(AdminFault) as refused:
        decode_texts({"/a.toml": text}, "bell", Bell)

    assert [str(each) for each in refused.value.problems] == [problem]
