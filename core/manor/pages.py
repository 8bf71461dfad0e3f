"""Pages for people: templates, forms and their guard, on the same routes and requests as the APIs.

A page works without JavaScript where it can. It carries a Content-Security-Policy that lets nothing run but what the
template marks with its nonce, and it loads nothing from other hosts.
"""

from __future__ import annotations

import functools
import hmac
import inspect
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import jinja2
import msgspec
from markupsafe import Markup

from manor.assets import Assets, core_assets
from manor.auth import PUBLIC, Access, Cookie, Place
from manor.compiled import COMPILED
from manor.dialects import PAGE
from manor.errors import BadRequest, FieldProblem, Forbidden, Refused, Unprocessable
from manor.origins import Origins
from manor.routing import Api, Head, Reply, Request, Route

TOKEN_FIELD = "form_token"  # noqa: S105 - a name, no secret
"""The hidden member of every form."""

TOKEN_HEADER = "X-Form-Token"  # noqa: S105 - a name, no secret
"""Where a page's script puts the token when it sends no form."""

FORM_COOKIE = "manor_form"
FORM_LIMIT = 262_144
MOST_FIELDS = 1_000

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))

_SEED = re.compile(r"[A-Za-z0-9_-]{32}")
_POLICY = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "img-src": "'self' data: blob:",
    "manifest-src": "'self'",
    "media-src": "'self' blob:",
    "script-src": "'nonce-{nonce}'",
    "style-src": "'self' 'nonce-{nonce}'",
}
_SOURCES = re.compile(r"[\x21-\x2b\x2d-\x3a\x3c-\x7e]+(?: [\x21-\x2b\x2d-\x3a\x3c-\x7e]+)*")
"""Visible characters without the comma and the semicolon, which would begin something else."""

_MANY = (msgspec.inspect.ListType, msgspec.inspect.VarTupleType, msgspec.inspect.SetType, msgspec.inspect.FrozenSetType)

F = TypeVar("F", bound=msgspec.Struct)
Handler = Callable[[Request[Any, Any]], Any]


def page_api(
    name: str = "pages",
    *,
    kinds: Collection[str] = ("web_session",),
    places: Sequence[Place] = (Cookie("manor_session"),),
) -> Api:
    """What page routes have in common: errors are pages, 401 leads to the sign-in page, no other origin may call them.

    Args:
        name: For docs, logs and limits.
        kinds: Credential kinds that open its routes.
        places: Where browsers put them.
    """
    return Api(
        name,
        PAGE,
        kinds=frozenset(kinds),
        places=tuple(places),
        # An expired sign-in is no sign-in: public pages stay open, the others lead to the sign-in page.
        ignores_bad_credentials=True,
        challenge="",
        cors=False,
    )


PAGES = page_api()


class Pages:
    """One plugin's templates and static files, and the guard of its forms.

    Args:
        owner: The plugin's name.
        folder: Holds `templates/` and, if there are any files, `static/`: usually `Path(__file__).parent`.
        public_url: As people reach the server; "" when not configured, then the Host header says what is our own.
        key: Signs form tokens. A fresh one when not given: forms that were open over a restart are then sent twice.
    """

    def __init__(self, owner: str, folder: Path, *, public_url: str = "", key: bytes = b"") -> None:
        self._origins = Origins(public_url)
        self._is_https = public_url.startswith("https:")
        self._key = key or secrets.token_bytes(32)
        self._assets = Assets(owner, folder / "static") if (folder / "static").is_dir() else None
        core = Path(__file__).parent / "templates"
        self._environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [
                    jinja2.FileSystemLoader(folder / "templates"),
                    jinja2.PrefixLoader({"manor": jinja2.FileSystemLoader(core)}),
                ]
            ),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=COMPILED,
        )
        self._environment.globals["static"] = self._static
        self._environment.globals["core_static"] = _core_static

    def routes(self) -> list[Route]:
        """The routes of its static files."""
        return self._assets.routes() if self._assets else []

    def render(
        self,
        request: Request[Any, Any],
        template: str,
        *,
        status: int = 200,
        policy: Mapping[str, str] | None = None,
        **values: object,
    ) -> Reply:
        """Make a page.

        Templates begin with `{% extends "manor/base.html" %}` and know, besides `values`: `nonce`, for their own
        `<script>` and `<style>`; `form_token()`, the text, and `form_field()`, the hidden input; `static(name)`, the
        URL of one of the plugin's files; `person`, the principal with a user, or None; `path`, where we are.

        Args:
            request: What it answers.
            template: Its name in the plugin's `templates/`.
            status: Of the answer.
            policy: Directives of the Content-Security-Policy in place of the usual ones, as `{"worker-src": "blob:"}`;
                `{nonce}` stands for the page's own.
            values: What the template shows; all of it is escaped.

        Raises:
            jinja2.UndefinedError: The template wants a value that is not there.
            ValueError: A directive of the policy would begin another one.
        """
        nonce = secrets.token_urlsafe(16)
        form = _FormSeed(_seed(request.head))

        def form_token() -> str:
            return self._token(form.take(), request)

        def form_field() -> Markup:
            return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, form_token())

        body = self._environment.get_template(template).render(
            values,
            nonce=nonce,
            form_token=form_token,
            form_field=form_field,
            person=request.person,
            path=request.head.path,
        )
        headers = {
            "Content-Security-Policy": _policy(policy or {}, nonce),
            # With "no-referrer", as the APIs have it, browsers would send forms with `Origin: null`.
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store" if form.is_taken or request.principals else "no-cache",
        }
        if form.is_new:
            headers["Set-Cookie"] = self._form_cookie(form.take())
        return Reply(body.encode(), status, "text/html; charset=utf-8", headers)

    def page(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        access: Access,
        form: type[msgspec.Struct] | None = None,
        api: Api = PAGES,
        **more: Any,
    ) -> Route:
        """Make a page's route; requests that change something are guarded.

        A guarded request comes from a page of ours (`Sec-Fetch-Site` or `Origin` says so) and carries the form token,
        as the hidden field of a form or in `X-Form-Token`.

        Args:
            method: Upper case.
            path: As for `Route`.
            handler: Takes a `Request`, may return whatever any handler may.
            access: Who may open it; `PUBLIC` said aloud.
            form: A struct for the form's members; the handler finds it as `request.body`. Lists take repeated ones.
            api: `PAGES`, or another of `page_api`.
            more: As for `Route`.
        """
        if method in SAFE_METHODS:
            return Route(method, path, handler, api=api, access=access, **more)
        if form is not None:
            more |= {"body": bytes, "body_limit": more.get("body_limit") or FORM_LIMIT}
        return Route(method, path, self._guarded(handler, form), api=api, access=access, **more)

    # --- The guard -------------------------------------------------------------------------------------------------

    def _guarded(self, handler: Handler, form: type[msgspec.Struct] | None) -> Handler:
        def checked(request: Request[Any, Any]) -> Request[Any, Any]:
            self._refuse_other_pages(request.head)
            fields = _fields(request) if form is not None else []
            token = request.headers.get(TOKEN_HEADER) or next(
                (text for name, text in fields if name == TOKEN_FIELD), ""
            )
            seed = _seed(request.head)
            if not seed or not hmac.compare_digest(token.encode(), self._token(seed, request).encode()):
                raise Forbidden("This form has expired: go back, load the page again and send it once more")
            return request if form is None else replace(request, body=_converted(fields, form))

        if inspect.iscoroutinefunction(handler):

            @functools.wraps(handler)
            async def guarded_async(request: Request[Any, Any]) -> Any:
                return await handler(checked(request))

            return guarded_async

        @functools.wraps(handler)
        def guarded(request: Request[Any, Any]) -> Any:
            return handler(checked(request))

        return guarded

    def _refuse_other_pages(self, head: Head) -> None:
        site = head.headers.get("sec-fetch-site")
        # Browsers send Sec-Fetch-Site over HTTPS and from this machine only; Origin they send with every form.
        is_ours = site == "same-origin" if site else "origin" in head.headers and self._origins.is_own(head)
        if not is_ours:
            raise Forbidden("Only pages of this server may do that")

    def _token(self, seed: str, request: Request[Any, Any]) -> str:
        """Proves that a form was made here for this browser and, when signed in, for this session."""
        session = "".join(str(each.credential_id) for each in request.principals if each.credential_id)
        return hmac.new(self._key, f"{seed}\0{session}".encode(), "sha256").hexdigest()

    def _form_cookie(self, seed: str) -> str:
        attributes = "; Path=/; HttpOnly; SameSite=Lax"
        if self._is_https:
            return f"__Host-{FORM_COOKIE}={seed}{attributes}; Secure"
        return f"{FORM_COOKIE}={seed}{attributes}"

    def _static(self, name: str) -> str:
        if self._assets is None:
            raise KeyError(name)
        return self._assets.url(name)


class _FormSeed:
    """The browser's part of its form tokens; made and kept in a cookie once a page has a form."""

    def __init__(self, known: str) -> None:
        self._seed = known
        self.is_new = False
        self.is_taken = False

    def take(self) -> str:
        self.is_taken = True
        if not self._seed:
            self._seed = secrets.token_urlsafe(24)
            self.is_new = True
        return self._seed


def _policy(changes: Mapping[str, str], nonce: str) -> str:
    for name, sources in changes.items():
        if not _SOURCES.fullmatch(sources):
            raise ValueError(f"{name}: these are no sources of a policy: {sources!r}")
    directives = {**_POLICY, **changes}
    return "; ".join(f"{name} {sources}" for name, sources in directives.items()).replace("{nonce}", nonce)


def _seed(head: Head) -> str:
    seed = Cookie(FORM_COOKIE).find(head) or ""
    return seed if _SEED.fullmatch(seed) else ""


def _fields(request: Request[Any, Any]) -> list[tuple[str, str]]:
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequest("This page takes forms only")
    try:
        text = request.body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:  # not ASCII, not UTF-8 inside, or too many members
        raise BadRequest("The form cannot be read") from error


def _converted(fields: Sequence[tuple[str, str]], form: type[F]) -> F:
    members = {member.encode_name: member for member in msgspec.structs.fields(form)}
    given: dict[str, Any] = {}
    for name, text in fields:
        member = members.get(name)
        if member is None:
            continue
        if isinstance(msgspec.inspect.type_info(member.type), _MANY):
            given.setdefault(name, []).append(text)
        else:
            given.setdefault(name, text)
    try:
        return msgspec.convert(given, form, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise Unprocessable(
            f"The form is not complete: {what}", errors=[FieldProblem(where.rstrip("`"), what)]
        ) from error


# --- Beside templates ----------------------------------------------------------------------------------------------


def redirect(location: str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """Lead the browser on with a GET, as after a form that was taken."""
    return Reply(b"", 303, "", {"Location": location, "Cache-Control": "no-store", **(headers or {})})


def troubles_of(refused: Refused, field: str = "", *, is_named: bool = False) -> dict[str, str]:
    """What is wrong with a form, a sentence for each of its fields; under "" what is wrong with the whole.

    Args:
        refused: Why the form was not taken.
        field: What a refusal that names no field is about.
        is_named: Whether each sentence begins with its field's name.
    """
    if not refused.errors:
        return {field: _sentence(refused.detail)}
    found = {}
    for problem in refused.errors:
        named = f"{problem.field.replace('_', ' ')} {problem.message}"
        found[problem.field] = _sentence(named if is_named else problem.message)
    return found


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def local_path(text: str, otherwise: str = "/") -> str:
    """Where `?next=` may lead: a path of this server, else `otherwise`; never to another host."""
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_local else otherwise


def front_page(paths: Collection[str]) -> list[Route]:
    """The route of `/` for a house whose plugins serve none: it leads to the topics' page, or to the API's.

    Args:
        paths: The paths of all GET routes.
    """
    if "/" in paths:
        return []
    target = "/app/topics" if "/app/topics" in paths else "/docs"

    def lead_on(request: Request[Any, Any]) -> Reply:
        """The front page."""
        return Reply(b"", 302, "", {"Location": target})

    return [Route("GET", "/", lead_on, api=PAGES, access=PUBLIC)]


@functools.cache
def _core_files() -> Assets:
    return core_assets()


def _core_static(name: str) -> str:
    return _core_files().url(name)
