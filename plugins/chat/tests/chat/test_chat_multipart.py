"""Forms with files are taken apart within bounds."""

from __future__ import annotations

import pytest

from manor import BadRequest
from manor_chat.forms.parts import LONGEST_FIELD, MOST_PARTS
from manor_chat.forms.whole import read_form

KIND = "multipart/form-data; boundary=edge"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *headers])
    return b"--edge\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


END = b"--edge--\r\n"


def test_a_form_has_its_texts_and_files_in_their_order() -> None:
    body = (
        part('name="channel_id"', b"abc")
        + part('name="files"; filename="\u00e4.png"', b"\x00\r\n--edg\r\n\xff", "Content-Type: image/png")
        + part('name="client_ids"', b"1")
        + part('name="client_ids"', "z\u00fc".encode())
        + part('name="files"; filename=""', b"")
        + END
    )

    form = read_form(KIND, body)

    assert (form.text("channel_id"), form.texts("client_ids"), form.text("other")) == ("abc", ["1", "z\u00fc"], "")
    assert [(each.filename, each.content_type, each.content) for each in form.files] == [
        ("\u00e4.png", "image/png", b"\x00\r\n--edg\r\n\xff"),
        ("", "", b""),
    ]
    assert form.file("image") is None


def test_a_file_is_whole_whatever_it_is_made_of() -> None:
    content = b"\r" * 200_000 + b"\r\n--edg" * 20_000

    form = read_form(KIND, part('name="image"; filename="a"', content) + END)

    assert [each.content for each in form.files] == [content]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", END),
        ("multipart/form-data", END),
        ("multipart/form-data; boundary=" + "x" * 300, b"--" + b"x" * 300 + b"--\r\n"),
        (KIND, b""),
        (KIND, b"{}"),
        (KIND, b"\x00\xff" * 100),
        (KIND, part('name="a"', b"1")),
        (KIND, part('name="a"', b"1")[:-4]),
        (KIND, part("nameless=1", b"1") + END),
        (KIND, part('name="a"', b"1") * (MOST_PARTS + 1) + END),
        (KIND, part('name="a"', b"1" * (LONGEST_FIELD + 1)) + END),
        (KIND, part('name="a"', b"1", *(f"X-{number}: 1" for number in range(20))) + END),
        (KIND, part('name="a"', b"1", "X: " + "1" * 10_000) + END),
    ],
)
def test_what_is_no_whole_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        read_form(kind, body)

    assert refused.value.code == "api.context.invalid_body_param.app_error"
