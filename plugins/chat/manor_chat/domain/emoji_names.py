"""The names of built-in emoji, as clients of the API write them between colons.

Clients take theirs from the emoji-data project; most of those names are in the package `emoji` too, as Unicode's own
names or as aliases, and the rest follows a few rules.
"""

from __future__ import annotations

import re
from functools import cache

import emoji

_SKIN_TONE = re.compile(r"_(?:light|medium_light|medium|medium_dark|dark)_skin_tone$")
_FAMILY = re.compile(r"(?:man|woman)(?:-(?:man|woman|boy|girl|heart|kiss)){1,3}")
_GENDERED = re.compile(r"(?:fe)?male[-_]([a-z-]+)")
_ROLE_WORDS = (
    "artist astronaut construction-worker cook detective doctor elf factory-worker fairy farmer firefighter genie "
    "guard judge mage mechanic office-worker pilot police-officer scientist singer student superhero supervillain "
    "teacher technologist vampire zombie"
)
_ROLES = frozenset(_ROLE_WORDS.split())
_OTHER_WORDS = (
    "-1 bald_person barely_sunny curly_haired_person drum_with_drumsticks eject face_palm face_with_cowboy_hat "
    "face_with_finger_covering_closed_lips face_with_one_eyebrow_raised face_with_open_mouth_vomiting fencer "
    "first_place_medal flag_england flag_scotland flag_wales giraffe_face "
    "grinning_face_with_one_large_and_one_small_eye grinning_face_with_star_eyes "
    "hand_with_index_and_middle_fingers_crossed handball i_love_you_hand_sign juggling keycap_star kiwifruit "
    "knife_fork_plate ladybug large_blue_square large_brown_circle large_brown_square large_green_circle "
    "large_green_square large_orange_circle large_orange_square large_purple_circle large_purple_square "
    "large_red_square large_yellow_circle large_yellow_square lightning lightning_cloud "
    "man_and_woman_holding_hands man_with_beard man_with_bunny_ears_partying man_wrestling mate_drink mattermost medal "
    "men_with_bunny_ears_partying mostly_sunny mother_christmas octagonal_sign partly_sunny_rain "
    "person_doing_cartwheel person_with_headscarf rain_cloud red_haired_person scooter second_place_medal "
    "serious_face_with_symbols_covering_mouth shocked_face_with_exploding_head shopping_trolley skin_tone_2 "
    "skin_tone_3 skin_tone_4 skin_tone_5 skin_tone_6 smiling_face_with_3_hearts "
    "smiling_face_with_smiling_eyes_and_hand_covering_mouth snow_cloud spock_hand staff_of_aesculapius "
    "sun_small_cloud the_horns third_place_medal tornado_cloud white_haired_person woman_with_beard "
    "woman_with_bunny_ears_partying woman_wrestling womans_flat_shoe women_with_bunny_ears_partying wrestlers "
    "zebra_face"
)
_OTHERS = frozenset(_OTHER_WORDS.split())
_FIRST_REGIONAL = 0x1F1E6


def is_built_in(name: str) -> bool:
    """Whether clients draw something for this name without asking the server."""
    return (
        _folded(name) in _known()
        or _folded(_SKIN_TONE.sub("", name)) in _known()
        or _FAMILY.fullmatch(name) is not None
        or ((role := _GENDERED.fullmatch(name)) is not None and role[1] in _ROLES)
    )


@cache
def _known() -> frozenset[str]:
    """Names and aliases; made when first asked for, for the package reads its data then."""
    names = set(_OTHERS)
    for characters, data in emoji.EMOJI_DATA.items():
        names.update(_folded(name.strip(":").lower()) for name in (data["en"], *data.get("alias", ())))
        letters = [ord(character) - _FIRST_REGIONAL for character in characters]
        if len(letters) == 2 and all(0 <= letter < 26 for letter in letters):
            names.add("flag_" + "".join(chr(ord("a") + letter) for letter in letters))
    return frozenset(names)


def _folded(name: str) -> str:
    return name if name == "-1" else name.replace("-", "_").replace("\u2019", "").replace(".", "")
