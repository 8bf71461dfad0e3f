"""Who comes in: rates, credentials and access, before a byte of the body is read."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

import trio

from manor.auth import Authenticator, Place, Presented, Principal
from manor.clock import Clock
from manor.errors import Forbidden, Refused, TooManyRequests, Unauthorized, Unavailable
from manor.limits import Address, RateLimiter, Verdict
from manor.origins import Origins
from manor.prepared import Manners, Prepared
from manor.routing import Api, Head, Rate, RateHeaders

_CREDENTIAL_SECONDS = 20.0


class _Visit(NamedTuple):
    """A request at the gate; `Gate.admit` says what its parts are."""

    head: Head
    manners: Manners
    prepared: Prepared | None
    headers: dict[str, str]
    refused: Refused | None


class Gate:
    """Lets requests in.

    Args:
        limits: Counts requests.
        clock: For the moment at which a rate is whole again.
        authenticators: Who recognises credentials, in the order in which they are asked.
    """

    def __init__(self, limits: RateLimiter, clock: Clock, authenticators: Sequence[Authenticator]) -> None:
        self._limits = limits
        self._clock = clock
        self._authenticators = tuple(authenticators)
        self._by_kinds: dict[frozenset[str], Sequence[Authenticator]] = {}

    def admit(
        self,
        head: Head,
        manners: Manners,
        prepared: Prepared | None,
        *,
        origins: Origins,
        headers: dict[str, str],
        refused: Refused | None = None,
        given: Sequence[Principal] | None = None,
    ) -> tuple[Principal, ...] | Awaitable[tuple[Principal, ...]]:
        """Count the request, recognise its credentials, and see whether they are enough.

        Args:
            head: The request.
            manners: Of the API in whose dialect it is answered.
            prepared: The route, or None for a refused request that has none.
            origins: Whose pages may use a cookie.
            headers: The answer's headers; rates are added.
            refused: Why it is refused in any case. Told first, except by an API with `credential_first`.
            given: Principals in place of credentials.

        Returns:
            What the credentials stand for, all of them valid; to be waited for where somebody has to look them up.

        Raises:
            Refused: With the reason; so may whatever is waited for.
        """
        api = manners.api
        if refused is not None and not api.credential_first:
            self._charge(manners, headers, api.anonymous_rate, api.name, Address(head.address))
            raise refused
        visit = _Visit(head, manners, prepared, headers, refused)
        try:
            if given is not None:
                principals = _given(api, given)
            elif presented := manners.presented(head):
                if any(place.is_ambient for _, place in presented) and not origins.may_use_ambient(head):
                    raise Forbidden("Pages of this origin may not use your sign-in here")
                known = self._known(head, api, presented)
                if known is None:
                    return self._look_up(visit, presented)
                principals = known
            else:
                principals = ()
        except (Unauthorized, Forbidden):
            self._charge_guess(visit)
            raise
        return self._let_in(visit, principals)

    def _charge_guess(self, visit: _Visit) -> None:
        # Guessing credentials is no faster than asking without one.
        api = visit.manners.api
        self._charge(visit.manners, visit.headers, api.anonymous_rate, api.name, Address(visit.head.address))

    def _let_in(self, visit: _Visit, principals: tuple[Principal, ...]) -> tuple[Principal, ...]:
        head, manners, prepared, headers, refused = visit
        api = manners.api
        if principals:
            self._charge(manners, headers, api.signed_in_rate, manners.signed_in_bucket, principals[0].bucket)
        elif api.anonymous_rate is not None:
            self._charge(manners, headers, api.anonymous_rate, api.name, Address(head.address))
        if refused is not None:
            raise refused if principals else Unauthorized(api.missing_credential)
        assert prepared is not None, "a request without a route is refused"
        access = prepared.route.access
        if not access.is_public:
            if not principals:
                raise Unauthorized(api.missing_credential)
            if not any(access.allows(principal) for principal in principals):
                unfit = Unauthorized if api.unfit_credential_status == 401 else Forbidden
                raise unfit("This credential may not do that")
        if prepared.route.rate is not None:
            who = principals[0].bucket if principals else Address(head.address)
            self._charge(manners, headers, prepared.route.rate, prepared.name, who)
        return principals

    def show_rates(self, head: Head, manners: Manners, headers: dict[str, str]) -> None:
        """Say what an address has left, and take nothing of it: a browser's preflight is no request of its own."""
        self._charge(manners, headers, manners.api.anonymous_rate, manners.api.name, Address(head.address), cost=0)

    def _known(self, head: Head, api: Api, presented: Sequence[tuple[str, Place]]) -> tuple[Principal, ...] | None:
        """Who the secrets stand for, where that is in memory for each of them."""
        found = []
        for secret, _ in presented:
            for authenticator in self._of_kinds(api.kinds):
                if authenticator.recognises(secret):
                    break
            else:
                return None
            principal = None if authenticator.known is None else authenticator.known(Presented(secret, head))
            if principal is None:
                return None
            found.append(principal)
        return tuple(found)

    async def _look_up(self, visit: _Visit, presented: Sequence[tuple[str, Place]]) -> tuple[Principal, ...]:
        head, api, prepared = visit.head, visit.manners.api, visit.prepared
        ignores_bad = api.ignores_bad_credentials and prepared is not None and prepared.route.access.is_public
        found = []
        try:
            for secret, _ in presented:
                try:
                    principal = await self._recognised(Presented(secret, head), api.kinds)
                    if principal is None:
                        raise Unauthorized(api.bad_credential)
                except Unauthorized:
                    # An authenticator may word its own refusal; where a bad one is none, it is none all the same.
                    if not ignores_bad:
                        raise
                else:
                    found.append(principal)
        except (Unauthorized, Forbidden):
            self._charge_guess(visit)
            raise
        return self._let_in(visit, tuple(found))

    def _of_kinds(self, kinds: frozenset[str]) -> Sequence[Authenticator]:
        found = self._by_kinds.get(kinds)
        if found is None:
            found = self._by_kinds[kinds] = tuple(each for each in self._authenticators if each.kind in kinds)
        return found

    async def _recognised(self, presented: Presented, kinds: frozenset[str]) -> Principal | None:
        with trio.move_on_after(_CREDENTIAL_SECONDS):
            for authenticator in self._of_kinds(kinds):
                if authenticator.recognises(presented.secret):
                    principal = await authenticator.authenticate(presented)
                    if principal is not None:
                        return principal
            return None
        raise Unavailable("The credential could not be checked in time; try again", headers={"Retry-After": "5"})

    def _charge(
        self,
        manners: Manners,
        headers: dict[str, str],
        rate: Rate | None,
        bucket: str,
        who: str | Address,
        *,
        cost: int = 1,
    ) -> None:
        if rate is None:
            return
        verdict = self._limits.take(bucket, who, rate, cost=cost)
        self._tell(manners.api.rate_headers, rate, verdict, headers)
        if cost and not verdict.allowed:
            whose = "address" if isinstance(who, Address) else "credential"
            raise TooManyRequests(
                f"Too many requests from one {whose}: {verdict.limit} may come at once, {rate.per_minute} a minute",
                retry_after=verdict.retry_after,
            )

    def _tell(self, told: RateHeaders, rate: Rate, verdict: Verdict, headers: dict[str, str]) -> None:
        if told is RateHeaders.NONE:
            return
        limit, reset = verdict.limit, verdict.reset_in
        if told is RateHeaders.UNIX:
            reset = math.ceil(self._clock.now().timestamp() + reset)
        elif rate.per_minute:
            limit = math.ceil(rate.per_minute / 60)
        headers["X-RateLimit-Limit"] = str(limit)
        headers["X-RateLimit-Remaining"] = str(verdict.remaining)
        headers["X-RateLimit-Reset"] = str(reset)


def _given(api: Api, principals: Sequence[Principal]) -> tuple[Principal, ...]:
    """Principals in place of credentials, of the kinds that open the API."""
    if any(principal.kind not in api.kinds for principal in principals):
        raise Unauthorized(api.bad_credential)
    return tuple(principals)
