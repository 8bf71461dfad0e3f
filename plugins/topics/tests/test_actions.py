"""Buttons: the short form, JSON, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest

from manor_topics.actions import read_actions
from manor_topics.domain import Misfit

VIEW = {"action": "view", "label": "Open", "url": "https://example.org"}


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("view, Open, https://example.org", [VIEW]),
        ("view,Open,https://example.org;", [VIEW]),
        ("action=view, label=Open, url=https://example.org", [VIEW]),
        ("VIEW, Open, https://example.org, clear=true", [{**VIEW, "clear": True}]),
        ("view, Open, https://example.org, clear=no", [VIEW]),
        ('view, "Open, please; \\"now\\"", https://example.org', [{**VIEW, "label": 'Open, please; "now"'}]),
        (
            "http, Turn down, https://api.example.org/, method=put, headers.Authorization=Bearer x, "
            "body='{\"temperature\": 65}'; view, Open, https://example.org",
            [
                {
                    "action": "http",
                    "label": "Turn down",
                    "url": "https://api.example.org/",
                    "method": "PUT",
                    "headers": {"Authorization": "Bearer x"},
                    "body": '{"temperature": 65}',
                },
                VIEW,
            ],
        ),
        (
            "broadcast, Take picture, extras.cmd=pic, extras.camera=front",
            [{"action": "broadcast", "label": "Take picture", "extras": {"cmd": "pic", "camera": "front"}}],
        ),
        ("copy, Copy code, 123456", [{"action": "copy", "label": "Copy code", "value": "123456"}]),
        ('[{"action": "view", "label": "Open", "url": "https://example.org", "colour": "red"}]', [VIEW]),
        ("view, Mail, mailto:ann@example.org", [{"action": "view", "label": "Mail", "url": "mailto:ann@example.org"}]),
        ("", []),
        ("[]", []),
    ],
)
def test_both_forms_say_the_same(text: str, actions: list[dict[str, Any]]) -> None:
    assert read_actions(text) == actions


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nothing", "none of view"),
        ("view", "lacks the 'label'"),
        ("view, Open", "lacks the 'url'"),
        ("copy, Code", "lacks the 'value'"),
        ("view, Open, https://example.org, more", "nothing names"),
        ("view, Open, https://example.org, colour=red", "knows no 'colour'"),
        ("view, Open, https://example.org, clear=perhaps", "neither true nor false"),
        ('view, "Open, https://example.org', "quotation mark"),
        ("view, Open, javascript:alert(1)", "URL"),
        ("view, Open, https://", "URL"),
        ("http, Go, mailto:ann@example.org", "http://"),
        ("http, Go, https://example.org, method=GET, body=x", "goes with no GET"),
        ("http, Go, https://example.org, method=G T", "none"),
        ("; ".join(["view, Open, https://example.org"] * 4), "at most 3"),
        ("[{]", "not valid JSON"),
        ("[" * 5000, "not valid JSON"),
        ('["view"]', "list of objects"),
        (5, "list of objects"),
        ({"action": "view"}, "list of objects"),
        ([{**VIEW, "label": 5}], "'label'"),
        ([{**VIEW, "label": "x" * 5000}], "'label'"),
        ([{**VIEW, "label": "\ud800"}], "'label'"),
        ([{**VIEW, "headers": ["x"]}], "'headers'"),
        ([{**VIEW, "headers": {"a": 1}}], "'headers'"),
        ([{**VIEW, "headers": {str(n): "" for n in range(30)}}], "'headers'"),
        ([{**VIEW, "clear": "yes"}], "'clear'"),
        ([{"action": ["view"]}], "none of view"),
    ],
)
def test_what_is_no_button_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(Misfit, match=r"^actions ") as refused:
        read_actions(value)

    assert reason in str(refused.value)
