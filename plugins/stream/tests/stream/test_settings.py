"""Settings: kept before they are in force, and found again by the next house."""

from __future__ import annotations

from pathlib import Path

from manor.testing import House, open_test_house
from manor_stream.parts import Shared
from manor_stream.settings import Settings, SettingsChanged


def settings_of(house: House) -> Settings:
    plugin = next(each for each in house.plugins if each.name == "stream")
    shared: Shared = plugin.instance.parts[0]._shared
    return shared.settings


async def test_what_was_set_is_found_by_the_next_house(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        first = settings_of(house)
        key = first.now.key
        await first.change(name="Attic radio", tags=("jazz", "live"))
        assert (first.now.name, first.now.tags) == ("Attic radio", ("jazz", "live"))

    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        again = settings_of(house).now
        assert (again.name, again.tags, again.key) == ("Attic radio", ("jazz", "live"), key)


async def test_the_first_start_makes_a_key_that_nobody_can_guess(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        async with open_test_house(tmp_path / name, plugins=["stream"]) as house:
            keys.add(settings_of(house).now.key)

    assert len(keys) == 2
    assert all(len(key) >= 32 for key in keys)


async def test_a_configured_key_counts_until_another_is_set(tmp_path: Path) -> None:
    def config(key: str) -> dict[str, object]:
        path = tmp_path / "key"
        path.write_text(key)
        return {"plugins": {"stream": {"key_file": str(path)}}}

    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config("first key")) as house:
        assert settings_of(house).now.key == "first key"
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config("second key")) as house:
        assert settings_of(house).now.key == "second key"
        await settings_of(house).change(key="set by the API")
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config("third key")) as house:
        assert settings_of(house).now.key == "set by the API"


async def test_a_change_is_told_by_its_names_without_values(tmp_path: Path) -> None:
    from manor.testing.houses import hear_all

    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        heard = hear_all(house)
        await settings_of(house).change(key="another key")
        await settings_of(house).change(key="another key")

    assert heard == [SettingsChanged(names=("key",))]
