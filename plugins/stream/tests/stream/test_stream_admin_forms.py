"""The admin's forms: what is typed is in force, what does not fit is told and changes nothing."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from manor.testing import Client, House
from manor_stream.quality import Quality
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle, StreamSettings
from tests.page_reading import SAME_ORIGIN, Page, Reader
from tests.stream_broadcast import shared_of


@pytest.fixture
def reader(admin: Client) -> Reader:
    return Reader(admin)


def settings(house: House) -> StreamSettings:
    return shared_of(house).settings.now


async def send(reader: Reader, action: str, *fields: tuple[str, str]) -> Page:
    """Send a form whose fields come more than once."""
    assert reader.here is not None
    token = reader.here.form(action).fields["form_token"]
    body = urlencode([("form_token", token), *fields]).encode()
    return await reader._follow(action, await reader.ask("POST", action, body=body, headers=SAME_ORIGIN))


async def test_texts_are_changed_and_what_was_left_stays(house: House, reader: Reader) -> None:
    await shared_of(house).settings.change(page_content="as it was")
    await reader.open("/admin/general")
    page = await send(
        reader,
        "/admin/general",
        ("name", " Attic radio "),
        ("summary", "two\r\nlines"),
        ("tags", "jazz, , live,jazz"),
        ("nsfw", "yes"),
        ("page_content", "as it was"),
        ("server_url", "https://tv.example/"),
    )

    now = settings(house)
    assert "It is changed." in page.text
    assert (now.name, now.summary, now.tags, now.nsfw) == ("Attic radio", "two\nlines", ("jazz", "live"), True)
    assert (now.page_content, now.server_url) == ("as it was", "https://tv.example")
    await send(reader, "/admin/general", ("name", "Attic radio"), ("server_url", "https://tv.example"))
    assert settings(house).nsfw is False


async def test_what_does_not_fit_is_told_beside_its_field_and_changes_nothing(house: House, reader: Reader) -> None:
    before = settings(house)
    await reader.open("/admin/general")
    page = await reader.send("/admin/general", name="", server_url="ftp://x", stream_title="on")

    assert page.status == 400
    assert "Please look at what is marked below" in page.text
    assert "expected an address such as" in page.text
    assert page.form("/admin/general").fields["stream_title"] == "on"
    assert settings(house) == before


async def test_an_uploaded_logo_stays_until_another_is_named(house: House, reader: Reader) -> None:
    picture = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    await shared_of(house).settings.change(logo=picture)
    page = await reader.open("/admin/general")
    assert picture not in page.answer.text

    await reader.send("/admin/general")
    assert settings(house).logo == picture
    await reader.send("/admin/general", logo="/img/logo.png")
    assert settings(house).logo == "/img/logo.png"


async def test_links_are_rows_and_one_without_an_address_goes(house: House, reader: Reader) -> None:
    await reader.open("/admin/links")
    rows = [("platform", "mastodon"), ("url", "https://a.example/"), ("platform", "x"), ("url", " ")]
    await send(reader, "/admin/links/social", *rows)
    assert settings(house).social_handles == (SocialHandle("mastodon", "https://a.example/"),)

    action = {"title": "Shop", "url": "https://b.example/", "description": "", "icon": "/i.png", "color": "#fff"}
    await send(reader, "/admin/links/actions", *action.items(), ("opens_externally", "yes"))
    kept = ExternalAction("https://b.example/", "Shop", "", "/i.png", "#fff", opens_externally=True)
    assert settings(house).external_actions == (kept,)


@pytest.mark.parametrize(
    "rows",
    [
        [("platform", "x"), ("url", "javascript:alert(1)")],
        [("platform", "x"), ("platform", "y"), ("url", "https://a.example/")],
        [("platform", ""), ("url", "https://a.example/")],
    ],
)
async def test_links_that_do_not_fit_are_refused(house: House, reader: Reader, rows: list[tuple[str, str]]) -> None:
    await reader.open("/admin/links")

    assert (await send(reader, "/admin/links/social", *rows)).status == 400
    assert settings(house).social_handles == ()


async def test_rows_that_do_not_fit_stay_as_they_were_typed(house: House, reader: Reader) -> None:
    await reader.open("/admin/links")
    rows = [("platform", "a"), ("url", ""), ("platform", "good"), ("url", "https://a.example/")]
    refused = await send(reader, "/admin/links/social", *rows, ("platform", "bad"), ("url", "ftp://b.example/"))

    assert "Row 3, address: expected an address such as https://example.org/" in refused.text
    for typed in ('value="good"', 'value="https://a.example/"', 'value="bad"'):
        assert typed in refused.answer.text
    (marked,) = [line for line in refused.answer.text.splitlines() if "aria-invalid" in line]
    assert 'value="ftp://b.example/"' in marked


async def test_qualities_that_do_not_fit_stay_as_they_were_typed(house: House, reader: Reader) -> None:
    await reader.open("/admin/video")
    first, wrong = quality(name="first"), quality(name="second", scaled_height="9999")
    refused = await send(reader, "/admin/video/qualities", *first, *first, *wrong, ("gone", "0"), ("wanted", "yes"))

    assert "Row 3, height: expected int <= 8192" in refused.text
    assert '<details class="card" open>' in refused.answer.text
    assert 'name="gone" value="0" checked' in refused.answer.text
    assert 'name="gone" value="1">' in refused.answer.text
    (marked,) = [line for line in refused.answer.text.splitlines() if "aria-invalid" in line]
    assert 'value="9999"' in marked


def quality(**changes: str) -> list[tuple[str, str]]:
    known = {"name": "small", "video_passthrough": "", "audio_passthrough": "yes", "video_bitrate": "800"}
    known |= {"audio_bitrate": "", "scaled_width": "0", "scaled_height": "360", "framerate": "30"}
    known |= {"cpu_usage_level": "3"}
    return list((known | changes).items())


async def test_a_quality_is_added_and_another_left_out(house: House, reader: Reader) -> None:
    await reader.open("/admin/video")
    first = quality(name="As broadcast", video_passthrough="yes")
    await send(reader, "/admin/video/qualities", *first, *quality(), ("wanted", "yes"))
    names = [each.name for each in settings(house).qualities]
    assert names == ["As broadcast", "small"]

    await send(reader, "/admin/video/qualities", *first, *quality(), *quality(name="new"), ("gone", "0"))
    assert settings(house).qualities == (
        Quality(
            name="small",
            audio_passthrough=True,
            video_bitrate=800,
            scaled_height=360,
            framerate=30,
            cpu_usage_level=3,
        ),
    )


@pytest.mark.parametrize(
    "rows",
    [
        [*quality(video_bitrate="much"), ("wanted", "yes")],
        [*quality(cpu_usage_level="9"), ("wanted", "yes")],
        [*quality(), *quality(), ("gone", "0")],
        [("name", "half a row"), ("wanted", "yes")],
        [],
    ],
    ids=["no number", "out of range", "none left", "half a row", "nothing"],
)
async def test_qualities_that_do_not_fit_are_refused(house: House, reader: Reader, rows: list[tuple[str, str]]) -> None:
    before = settings(house).qualities
    await reader.open("/admin/video")

    assert (await send(reader, "/admin/video/qualities", *rows)).status == 400
    assert settings(house).qualities == before


async def test_the_latency_is_chosen(house: House, reader: Reader) -> None:
    await reader.open("/admin/video")
    fields = ("ffmpeg_path", ""), ("rtmp_server_port", ""), ("codec", settings(house).codec)
    await send(reader, "/admin/video", ("latency_level", "0"), *fields)
    assert settings(house).latency_level == 0

    assert (await send(reader, "/admin/video", ("latency_level", "7"), *fields)).status == 400
    assert settings(house).latency_level == 0


async def test_a_form_is_taken_in_whole_or_not_at_all(house: House, reader: Reader) -> None:
    before = settings(house)
    await reader.open("/admin/video")
    fields = ("latency_level", "0"), ("codec", before.codec), ("ffmpeg_path", "/nowhere/ffmpeg")
    page = await send(reader, "/admin/video", *fields)

    assert (page.status, "expected an ffmpeg" in page.text) == (400, True)
    assert settings(house) == before


async def test_what_was_set_in_place_of_the_configuration_is_left_out_again(house: House, reader: Reader) -> None:
    await shared_of(house).settings.change(
        server_url="https://tv.example", rtmp_server_port=19350, ffmpeg_path="ffmpeg"
    )
    await reader.open("/admin/general")
    assert "It is changed." in (await reader.send("/admin/general", server_url="")).text
    await reader.open("/admin/video")
    fields = ("latency_level", "2"), ("codec", settings(house).codec)
    assert "It is changed." in (await send(reader, "/admin/video", *fields)).text

    now = settings(house)
    assert (now.server_url, now.rtmp_server_port, now.ffmpeg_path) == ("", 0, "")


async def test_a_secret_that_is_not_typed_stays_and_is_never_shown(house: House, reader: Reader) -> None:
    await shared_of(house).settings.change(s3=S3Settings(secret="hush-hush"))
    page = await reader.open("/admin/storage")
    assert "hush-hush" not in page.answer.text

    await reader.send("/admin/storage", endpoint="https://s3.example", bucket="video")
    assert settings(house).s3 == S3Settings(secret="hush-hush", endpoint="https://s3.example", bucket="video")
    before = settings(house).s3
    refused = await reader.send("/admin/storage", enabled="true", bucket="other", region="", accessKey="typed")
    assert refused.status == 400
    assert "Region is wanted when S3 is enabled." in refused.text
    typed = refused.form("/admin/storage")
    assert {typed.fields[name] for name in ("enabled", "bucket", "accessKey")} == {"true", "other", "typed"}
    assert typed.attributes["region"]["aria-describedby"] == "region-trouble"
    assert "hush-hush" not in refused.answer.text
    assert settings(house).s3 == before


async def test_the_title_is_changed_from_the_overview(house: House, reader: Reader) -> None:
    await reader.open("/admin/")
    page = await reader.send("/admin/title", stream_title="Tonight")

    assert "The title is changed." in page.text
    assert settings(house).stream_title == "Tonight"


async def test_the_broadcaster_is_disconnected_or_nobody_is(house: House, reader: Reader) -> None:
    on_air = shared_of(house).on_air
    dropped: list[str] = []
    on_air.disconnect = dropped.append
    await reader.open("/admin/")
    await reader.send("/admin/disconnect")
    assert len(dropped) == 1

    await reader.open("/admin/")
    on_air.disconnect = None
    assert "Nobody publishes" in (await reader.send("/admin/disconnect")).text


async def test_the_key_is_changed_or_made_at_random(house: House, reader: Reader) -> None:
    await reader.open("/admin/access")
    await reader.send("/admin/access/key", key="another-key")
    assert settings(house).key == "another-key"
    assert (await reader.send("/admin/access/key", key="with/slash")).status == 400
    assert settings(house).key == "another-key"
    await reader.open("/admin/access")
    made = await reader.send("/admin/access/key", key="", follow=False)
    key = settings(house).key
    assert len(key) >= 32
    # Whoever has it made has to sign in with it next.
    assert f"The key of Manor, shown this once: {key}" in made.text


async def test_a_token_is_shown_once_and_opens_nothing_when_deleted(reader: Reader, client: Client) -> None:
    await reader.open("/admin/access")
    page = await send(reader, "/admin/access/tokens", ("name", "bot"), ("scopes", "HAS_ADMIN_ACCESS"))
    secret = page.answer.text.partition("<p><code>sit_")[2].partition("<")[0]
    headers = {"Authorization": f"Bearer sit_{secret}"}
    assert (await client.get("/api/integrations/chat", headers=headers)).status == 200

    page = await reader.open("/admin/access")
    assert secret not in page.answer.text
    await reader.send("/admin/access/tokens/delete")
    assert (await client.get("/api/integrations/chat", headers=headers)).status == 401


@pytest.mark.parametrize(
    "fields", [[("name", "bot")], [("scopes", "HAS_ADMIN_ACCESS")], [("name", "b"), ("scopes", "X")]]
)
async def test_a_token_without_a_name_or_a_scope_is_refused(reader: Reader, fields: list[tuple[str, str]]) -> None:
    await reader.open("/admin/access")

    assert (await send(reader, "/admin/access/tokens", *fields)).status == 400


@pytest.mark.manor(config={"server": {"outgoing": {"allow": ["127.0.0.1"]}}})
async def test_a_webhook_is_made_and_deleted(reader: Reader) -> None:
    await reader.open("/admin/access")
    page = await send(reader, "/admin/access/webhooks", ("url", "http://127.0.0.1:9/hook"), ("events", "CHAT"))
    assert "The secret of http://127.0.0.1:9/hook, shown this once" in page.text

    await reader.open("/admin/access")
    page = await reader.send("/admin/access/webhooks/delete")
    assert "The webhook is deleted." in page.text
    assert "127.0.0.1:9" not in page.text


async def test_a_webhook_to_nowhere_is_refused(reader: Reader) -> None:
    await reader.open("/admin/access")
    page = await send(reader, "/admin/access/webhooks", ("url", "javascript:alert(1)"), ("events", "CHAT"))

    assert page.status == 400


async def test_a_message_is_hidden_and_shown_again(house: House, reader: Reader, client: Client) -> None:
    await shared_of(house).chat.say_system("Hello <b>all</b>")
    page = await reader.open("/admin/chat")
    assert "Hello all" in page.text
    await reader.send("/admin/chat/hide")
    assert (await client.get("/api/chat")).json() == []

    await reader.send("/admin/chat/show")
    assert len((await client.get("/api/chat")).json()) == 1


async def test_who_keeps_order_reads_emoji_and_tags_as_they_were_typed(house: House, reader: Reader) -> None:
    await shared_of(house).chat.say_system('<script>x</script> 1 &lt; 2 <b title="<i>">bold</b> :heart:')
    page = await reader.open("/admin/chat")

    assert "1 < 2" in page.text
    assert ":heart:" in page.text
    assert "<script>x" not in page.answer.text
    assert "<img" not in page.answer.text


async def test_an_address_is_shut_out_and_let_in(reader: Reader) -> None:
    await reader.open("/admin/chat")
    assert "203.0.113.0/24" in (await reader.send("/admin/chat/ban", address="203.0.113.0/24")).text
    page = await reader.send("/admin/chat/unban")
    assert "203.0.113.0/24" not in page.text
    assert (await reader.send("/admin/chat/ban", address="nowhere")).status == 400


async def test_the_log_is_shown_as_text(house: House, reader: Reader) -> None:
    shared_of(house).logbook.warning("<script>alert(1)</script>")
    shared_of(house).logbook.info("all is well")

    page = await reader.open("/admin/logs")
    assert "<script>alert" not in page.answer.text
    assert "all is well" in page.text
    assert "all is well" not in (await reader.open("/admin/logs?only=warnings")).text
