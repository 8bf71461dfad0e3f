"""A browser without scripts, asking a house in this process: it keeps cookies, reads forms and sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from manor.testing import Answer, Client

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Form:
    """A form of a page: where it goes, its fields as they stand there, and the types of its inputs."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, dict[str, str | None]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append(Form(urljoin(self._at, given.get("action") or self._at)))
        elif tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        elif tag == "input" and self.forms and given.get("name"):
            name, form = given["name"] or "", self.forms[-1]
            form.types[name] = given.get("type") or "text"
            form.attributes[name] = given
            if form.types[name] != "checkbox" or "checked" in given:
                form.fields[name] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@dataclass(frozen=True)
class Page:
    """What is on the screen."""

    url: str
    answer: Answer
    forms: list[Form]
    links: list[str]
    text: str

    @property
    def status(self) -> int:
        return self.answer.status

    def form(self, action: str) -> Form:
        """The form that goes there."""
        found = [form for form in self.forms if form.action == action]
        assert found, f"{self.url} has no form to {action}: {[form.action for form in self.forms]}\n{self.answer.text}"
        return found[0]


@dataclass
class Reader:
    """One person's browser.

    Args:
        client: Asks the house.
        jar: Cookies by name.
        here: The page that is shown.
    """

    client: Client
    jar: dict[str, str] = field(default_factory=dict)
    here: Page | None = None

    async def open(self, path: str) -> Page:
        """Go there, and where it leads."""
        return await self._follow(path, await self.ask("GET", path))

    async def send(self, action: str, *, follow: bool = True, **typed: str) -> Page:
        """Fill in the form of this page that goes there, and send it."""
        assert self.here is not None
        fields = {**self.here.form(action).fields, **typed}
        answer = await self.ask("POST", action, body=urlencode(fields).encode(), headers=SAME_ORIGIN)
        return await self._follow(action, answer, follow=follow)

    async def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request with the cookies, and what it does to them."""
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}
        answer = await self.client.request(method, path, body=body, headers={**cookies, **(headers or {})})
        if "Set-Cookie" in answer.headers:
            name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
            if "Max-Age=0" in answer.headers["Set-Cookie"]:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return answer

    async def _follow(self, path: str, answer: Answer, *, follow: bool = True) -> Page:
        for _ in range(5):
            if not follow or answer.status not in (302, 303):
                break
            path = _local(answer.headers["Location"])
            answer = await self.ask("GET", path)
        reader = _Reader(urlsplit(path).path)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            reader.feed(answer.text)
        self.here = Page(path, answer, reader.forms, reader.links, " ".join(" ".join(reader.text).split()))
        return self.here


def _local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
