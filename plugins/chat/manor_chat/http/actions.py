"""The tag integration_actions, and buttons of posts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import PUBLIC, Rate, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.domain.nesting import is_too_deep
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_param
from manor_chat.ids import shown_id
from manor_chat.integrations.acting import SECONDS, Pressed, press, read_answer, request_of, update, words
from manor_chat.integrations.calling import CallFailed, call
from manor_chat.integrations.dialogs import WantedDialog, open_dialog, read_dialog_answer, submission_of
from manor_chat.integrations.proving import Proofs
from manor_chat.integrations.replying import Place, Saying
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.posts import find_post

MOST_AT_ONCE = 5
"""Buttons and dialogs of one person whose programs have not answered."""

OPENING = Rate(600, burst=100)
_FAILED = "api.post.do_action.action_integration.app_error"
_FAILED_DIALOG = "app.submit_interactive_dialog.json_error"


class ActionBody(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen of a menu; the cookie of a button whose post is not kept."""

    selected_option: str = ""
    cookie: str = ""


class ActionDone(msgspec.Struct, frozen=True, kw_only=True):
    """The button was pressed; dialogs that come of it carry this id."""

    status: str = "OK"
    trigger_id: str


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody filled in."""

    url: str = ""
    callback_id: str = ""
    state: str = ""
    channel_id: str = ""
    team_id: str = ""
    submission: dict[str, Any] | None = None
    cancelled: bool = False


class ActionHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, saying: Saying, proofs: Proofs) -> None:
        self._shared = shared
        self._saying = saying
        self._proofs = proofs

    async def act(self, request: Request[ActionBody | None]) -> Reply:
        """Press a button, or choose of a menu."""
        post_id, action_id = id_param(request, "post_id"), request.params["action_id"]
        body = request.body or ActionBody()

        def find(transaction: Transaction, rights: Rights) -> tuple[Pressed, str]:
            pressed = press(transaction, rights, self._proofs, post_id, action_id, body.cookie)
            return pressed, rights.person.handle

        pressed, handle = await self._shared.read(request, find)
        user_id = request.user_id
        assert user_id is not None, "access says so"
        client_trigger_id, trigger_id = self._proofs.new_trigger(shown_id(user_id))
        asked = request_of(pressed, handle, user_id, trigger_id, body.selected_option)
        said = read_answer(await self._ask(user_id, pressed.integration.url, asked, code=_FAILED))
        if said is None:
            raise faults.bad_value(_FAILED, "Action integration error: the answer cannot be read.")

        def finish(transaction: Transaction, rights: Rights) -> None:
            if said.update is not None:
                update(transaction, pressed, said.update, rights.user_id, self._proofs)
            if said.ephemeral_text:
                post = find_post(transaction, post_id)
                root_id = None if post is None else post.root_id or post.id
                self._saying.tell(transaction, Place(pressed.channel, rights.person, root_id), words(said))

        if said.update is not None or said.ephemeral_text:
            await self._shared.write(request, finish)
        return answer(ActionDone(trigger_id=client_trigger_id))

    async def open(self, request: Request[WantedDialog]) -> Reply:
        """Show a dialog to whoever has just pressed a button or typed a command; the trigger id says who."""
        wanted = request.body
        triggered = self._proofs.read_trigger(wanted.trigger_id)
        await self._shared.storage.write(lambda transaction: open_dialog(transaction, triggered, wanted))
        return STATUS_OK

    async def submit(self, request: Request[Submission]) -> Reply:
        """Hand on what somebody filled in, and give back what is wrong with it."""
        body = request.body
        if not body.url:
            raise faults.bad_body_param("url")
        if is_too_deep(body.submission):
            raise faults.bad_body_param("submission")
        channel_id = id_member(body.channel_id, "channel_id")
        team_id = id_member(body.team_id, "team_id") if body.team_id else None

        def check(transaction: Transaction, rights: Rights) -> None:
            channel = rights.channel(channel_id)
            rights.require_in_channel("read_channel", channel)
            if team_id is not None:
                rights.require_in_team("view_team", team_id)

        await self._shared.read(request, check)
        user_id = request.user_id
        assert user_id is not None, "access says so"
        sent = submission_of(msgspec.structs.asdict(body), shown_id(user_id))
        said = read_dialog_answer(await self._ask(user_id, body.url, sent, code=_FAILED_DIALOG))
        if said is None:
            raise faults.bad_value(_FAILED_DIALOG, "Encountered an error decoding the dialog's answer.")
        return answer(said)

    async def _ask(self, user_id: UUID, url: str, asked: dict[str, Any], *, code: str) -> bytes:
        context = self._shared.context
        try:
            with context.limits.hold("buttons and dialogs", shown_id(user_id), MOST_AT_ONCE):
                return (await call(context.outgoing, "POST", url, json=asked, seconds=SECONDS)).body
        except CallFailed as failed:
            raise faults.bad_value(code, f"Action integration error: {failed}.") from failed


def action_routes(shared: Shared, saying: Saying, proofs: Proofs) -> list[Route]:
    """All of them."""
    handlers, api = ActionHandlers(shared, saying, proofs), shared.api
    tag = "integration_actions"
    return [
        operation(
            api, "POST /posts/{post_id}/actions/{action_id}", handlers.act, access=SIGNED_IN, tag="posts",
            body=ActionBody | None, returns=ActionDone,
        ),
        operation(
            api, "POST /actions/dialogs/open", handlers.open, access=PUBLIC, tag=tag, body=WantedDialog, rate=OPENING,
        ),
        operation(api, "POST /actions/dialogs/submit", handlers.submit, access=SIGNED_IN, tag=tag, body=Submission),
    ]  # fmt: skip
