"""The rules of names and descriptions."""

from __future__ import annotations

from uuid import UUID

import pytest

from manor_topics.domain import Misfit, check_description, check_name, read_reference

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize("name", ["abc", "a-1", "9_9", "0" * 64, "disk-alerts"])
def test_a_good_name_passes(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 65,
        "Alerts",
        "-alerts",
        "_alerts",
        "al erts",
        "al/erts",
        "al.erts",
        "żółw",
        "alerts\n",
        ID,
        ID.replace("-", ""),
        "api",
        "welcome-not" * 9,
        "livez",
    ],
)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Misfit, match="name"):
        check_name(name)


def test_first_segments_of_routes_are_reserved() -> None:
    check_name("doors")
    with pytest.raises(Misfit, match="'doors' is reserved"):
        check_name("doors", {"doors"})


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (ID, UUID(ID)),
        ("alerts", "alerts"),
        (ID.upper(), ID.upper()),
        ("Alerts", "Alerts"),
        ("a", "a"),
        ("a" * 65, None),
        ("a.b", None),
        ("", None),
        ("a\0b", None),
        ("..", None),
    ],
)
def test_a_path_names_an_id_a_name_or_nothing(text: str, meaning: UUID | str | None) -> None:
    assert read_reference(text) == meaning


@pytest.mark.parametrize(
    ("description", "is_listed", "is_good"),
    [
        (None, False, True),
        ("x" * 500, False, True),
        ("x" * 501, False, False),
        (None, True, False),
        (" ", True, False),
        ("x", True, True),
    ],
)
def test_a_listed_topic_says_what_it_is(description: str | None, is_listed: bool, is_good: bool) -> None:
    if is_good:
        check_description(description, is_listed=is_listed)
    else:
        with pytest.raises(Misfit):
            check_description(description, is_listed=is_listed)
