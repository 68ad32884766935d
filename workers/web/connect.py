"""Connecting an account: the browser leaves for the platform (`start`) and comes back (`callback`).

What protects the way (RFC 9700, RFC 7636):

- the link to `start` carries a ticket that works once and for two minutes; the database knows only its hash;
- `state` has 256 bits, works once, and is bound to the person, the platform, the return address and, by a
  cookie, to this browser; the database knows only the hashes of state and cookie;
- the PKCE verifier waits sealed in the database and is deleted as it is read;
- each platform has its own return address, and a state of one platform is worth nothing at another (mix-up);
- the person returns to the exact address that the flow began with, which is on the operator's list; nothing
  in the request can change it;
- what the platform granted is only held: the browser takes a one-time code to the front end, where the person
  who began confirms it in their own session. Whoever was tricked into opening somebody else's link has given
  nothing away;
- granted scopes must not exceed what was asked for; the account at the platform must not belong to anybody
  else.

No token, code or verifier ever stands in a URL of ours, in a log or in an exception (P1.11, P1.12).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workers.errors import NexoraError, ProviderError, RuleError
from workers.gateway import FlowTicket, OAuthFlow, ResolvedConnection
from workers.jobs.sealed_tokens import TokenPlace, ends_at, seal_tokens
from workers.logs import get_logger
from workers.providers.oauth import ExternalProfile, PlatformOAuth, TokenGrant, redirect_uri
from workers.vault import SecretToken, Vault, VaultError, VerifierContext, sealed_from_text, sealed_to_text
from workers.web.pages import problem_page

__all__ = ["ConnectGateway", "Connector"]

COOKIE_SECONDS: Final = 600  # as long as a flow lives
NOT_AVAILABLE: Final = "NX205"
NO_ACCOUNT: Final = "NX207"
UNKNOWN_ATTEMPT: Final = "NX210"
SCOPES_DIFFER: Final = "NX214"
DECLINED: Final = "NX218"
PLATFORM_FAILED: Final = "NX219"

_RANDOM_BYTES: Final = 32
_VERIFIER_BYTES: Final = 48  # 64 characters; RFC 7636 wants 43 to 128
_ONE_TIME_VALUE: Final = re.compile(r"[A-Za-z0-9_\-]{32,128}")
_CODE: Final = re.compile(r"[\x21-\x7e]{1,4096}")
# RFC 6749 section 4.1.2.1; LinkedIn has two words of its own.
_PERSON_SAID_NO: Final = frozenset({"access_denied", "user_cancelled_login", "user_cancelled_authorize"})

_TEXTS: Final[Mapping[str, tuple[str, str, int]]] = {
    NOT_AVAILABLE: ("Accounts cannot be connected at the moment", "Try again in a few minutes.", 503),
    UNKNOWN_ATTEMPT: (
        "This connection attempt is unknown, used or expired",
        "Go back to Nexora OS and start again from the list of connections.",
        410,
    ),
}

_log = get_logger(__name__)


class ConnectGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def redeem_ticket(
        self, ticket_hash: str, state_hash: str, browser_hash: str, sealed_verifier: str
    ) -> FlowTicket:
        """See `Gateway.redeem_ticket`."""
        ...

    async def consume_oauth_state(self, state_hash: str, browser_hash: str) -> OAuthFlow:
        """See `Gateway.consume_oauth_state`."""
        ...

    async def resolve_connection(self, flow_id: UUID, external_account_id: str) -> ResolvedConnection:
        """See `Gateway.resolve_connection`."""
        ...

    async def hold_connection(
        self,
        *,
        flow_id: UUID,
        connection_id: UUID,
        external_account_id: str,
        handle: str | None,
        display_name: str | None,
        avatar_url: str | None,
        scopes: Sequence[str],
        generation: int,
        sealed_access: str,
        sealed_refresh: str | None,
        sealed_revocation: str,
        key_ids: Sequence[str],
        access_expires_at: datetime | None,
        refresh_expires_at: datetime | None,
        code_hash: str,
    ) -> datetime:
        """See `Gateway.hold_connection`."""
        ...


class _ConnectError(NexoraError):
    """This account is not connected; `code` (NX2xx) goes back with the person."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the platform's redirect said: a code (None: not exactly one), error words, issuers."""

    code: SecretToken | None
    errors: frozenset[str]
    issuers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Connector:
    """The endpoints `start` and `callback` of every platform.

    Attributes:
        gateway: the database.
        vault: seals verifiers and tokens.
        clients: OAuth clients by platform id; a platform that is missing is not offered here.
        public_url: address under which browsers reach this server. Redirect addresses are made of it, never
            of the request, whose Host header anybody may write.
        clock: current time; tests set it.
    """

    gateway: ConnectGateway
    vault: Vault
    clients: Mapping[str, PlatformOAuth]
    public_url: str
    clock: Callable[[], datetime]

    async def start(self, request: Request) -> Response:
        """`GET /oauth/{platform}/start?ticket=…`: redeems the ticket, sends the browser to the platform."""
        if request.method != "GET":  # Starlette lets HEAD pass as GET; it must not spend a ticket
            return Response(status_code=405, headers={"Allow": "GET"})
        client = self.clients.get(request.path_params["platform"])
        if client is None:
            return _page(NOT_AVAILABLE)
        ticket = _single(request.query_params, "ticket", _ONE_TIME_VALUE)
        if ticket is None:
            return _page(UNKNOWN_ATTEMPT)
        try:
            return await self._leave(client, ticket)
        except (NexoraError, VaultError) as error:
            return self._refused(client, error)

    async def callback(self, request: Request) -> Response:
        """`GET /oauth/{platform}/callback`: takes the platform's answer and sends the person back."""
        if request.method != "GET":
            return Response(status_code=405, headers={"Allow": "GET"})
        client = self.clients.get(request.path_params["platform"])
        state = _single(request.query_params, "state", _ONE_TIME_VALUE)
        if client is None or state is None:
            return _page(UNKNOWN_ATTEMPT)
        browser = request.cookies.get(self._cookie_name(state), "")
        try:
            flow = await self.gateway.consume_oauth_state(_digest(state), _digest_text(browser))
        except NexoraError as error:
            return self._refused(client, error)
        response = await self._return(client, flow, state, _answer_in(request.query_params))
        response.delete_cookie(self._cookie_name(state), secure=self._is_https, httponly=True, samesite="lax")
        return response

    # --- leaving -------------------------------------------------------------------------------------------

    async def _leave(self, client: PlatformOAuth, ticket: SecretToken) -> Response:
        state, browser = _random(_RANDOM_BYTES), _random(_RANDOM_BYTES)
        verifier = _random(_VERIFIER_BYTES)
        sealed = self.vault.seal(verifier, VerifierContext(hashlib.sha256(state.reveal_bytes()).digest()))
        flow = await self.gateway.redeem_ticket(
            _digest(ticket), _digest(state), _digest(browser), sealed_to_text(sealed)
        )
        if flow.platform_id != client.definition.id:
            raise _ConnectError(UNKNOWN_ATTEMPT)
        url = client.authorization_url(
            state=state, verifier=verifier, scopes=flow.scopes, redirect_uri=self._redirect_uri(client)
        )
        response = RedirectResponse(url, status_code=303)
        response.set_cookie(
            self._cookie_name(state),
            browser.reveal(),
            max_age=COOKIE_SECONDS,
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="lax",  # sent with the platform's redirect, which is a top-level navigation
        )
        return response

    # --- coming back ---------------------------------------------------------------------------------------

    async def _return(
        self, client: PlatformOAuth, flow: OAuthFlow, state: SecretToken, answer: _Answer
    ) -> Response:
        try:
            code = await self._connect(client, flow, state, answer)
        except (NexoraError, VaultError) as error:
            reason = _public_code(error)
            _log.warning(
                "account_not_connected",
                platform_id=flow.platform_id,
                flow_id=flow.flow_id,
                code=reason,
                cause=_cause_of(error),
            )
            return RedirectResponse(_with_parameter(flow.redirect_to, "error", reason), status_code=303)
        _log.info("account_awaits_confirmation", platform_id=flow.platform_id, flow_id=flow.flow_id)
        return RedirectResponse(
            _with_parameter(flow.redirect_to, "connection_code", code.reveal()), status_code=303
        )

    async def _connect(
        self, client: PlatformOAuth, flow: OAuthFlow, state: SecretToken, answer: _Answer
    ) -> SecretToken:
        code = _code_of(client, flow, answer)
        place = VerifierContext(hashlib.sha256(state.reveal_bytes()).digest())
        verifier = self.vault.open(sealed_from_text(flow.sealed_verifier), place)
        asked_at = self.clock()
        grant = await client.exchange_code(
            code=code, verifier=verifier, redirect_uri=self._redirect_uri(client)
        )
        scopes = client.kept_scopes(grant, flow.scopes)
        if not set(scopes) <= set(flow.scopes):
            raise _ConnectError(SCOPES_DIFFER)
        profile = await client.fetch_profile(grant.access)
        if profile is None:
            raise _ConnectError(NO_ACCOUNT)
        return await self._hold(client, flow, grant, scopes, profile, asked_at)

    async def _hold(
        self,
        client: PlatformOAuth,
        flow: OAuthFlow,
        grant: TokenGrant,
        scopes: Sequence[str],
        profile: ExternalProfile,
        asked_at: datetime,
    ) -> SecretToken:
        """Answers the code with which the person confirms.

        A refusal here forgets the tokens without revoking them: at some platforms that would end every grant
        of the account, also the one that its rightful owner has here (NX212).
        """
        code = _random(_RANDOM_BYTES)
        found = await self.gateway.resolve_connection(flow.flow_id, profile.subject)
        place = TokenPlace(flow.user_id, found.connection_id, flow.platform_id, found.generation)
        sealed = seal_tokens(self.vault, client, place, grant.access, grant.refresh)
        await self.gateway.hold_connection(
            flow_id=flow.flow_id,
            connection_id=found.connection_id,
            external_account_id=profile.subject,
            handle=profile.handle,
            display_name=profile.name,
            avatar_url=profile.avatar_url,
            scopes=scopes,
            generation=found.generation,
            sealed_access=sealed.access,
            sealed_refresh=sealed.refresh,
            sealed_revocation=sealed.revocation,
            key_ids=sealed.key_ids,
            access_expires_at=ends_at(asked_at, grant.access_expires_in),
            refresh_expires_at=ends_at(asked_at, grant.refresh_expires_in),
            code_hash=_digest(code),
        )
        return code

    # --- both ----------------------------------------------------------------------------------------------

    def _refused(self, client: PlatformOAuth, error: NexoraError | VaultError) -> Response:
        code = _public_code(error)
        _log.warning(
            "account_not_connected", platform_id=client.definition.id, code=code, cause=_cause_of(error)
        )
        if isinstance(error, RuleError):
            return _page(code, error.message, error.hint)
        return _page(code)

    def _redirect_uri(self, client: PlatformOAuth) -> str:
        return redirect_uri(self.public_url, client.definition.id)

    @property
    def _is_https(self) -> bool:
        return self.public_url.startswith("https:")

    def _cookie_name(self, state: SecretToken) -> str:
        """One cookie per flow, so that two open tabs do not disturb each other. `__Host-` binds it to this
        host alone, and browsers take that prefix over https only.
        """
        return f"{'__Host-' if self._is_https else ''}nexora-connect-{_digest(state)[:16]}"


def _answer_in(query: QueryParams) -> _Answer:
    return _Answer(
        _single(query, "code", _CODE), frozenset(query.getlist("error")), frozenset(query.getlist("iss"))
    )


def _code_of(client: PlatformOAuth, flow: OAuthFlow, answer: _Answer) -> SecretToken:
    """The authorization code, if the answer has one and comes from where this flow went (mix-up, RFC 9700
    section 4.4).
    """
    definition = client.definition
    if flow.platform_id != definition.id:
        raise _ConnectError(UNKNOWN_ATTEMPT)
    if definition.issuer is not None and not answer.issuers <= {definition.issuer}:
        raise _ConnectError(UNKNOWN_ATTEMPT)
    if answer.errors:
        raise _ConnectError(DECLINED if answer.errors <= _PERSON_SAID_NO else PLATFORM_FAILED)
    if answer.code is None:
        raise _ConnectError(PLATFORM_FAILED)
    return answer.code


def _public_code(error: NexoraError | VaultError) -> str:
    """The NX code that the person's front end gets."""
    if isinstance(error, _ConnectError | RuleError):
        return error.code
    return PLATFORM_FAILED if isinstance(error, ProviderError) else NOT_AVAILABLE


def _cause_of(error: NexoraError | VaultError) -> str:
    return "sealed_token_unreadable" if isinstance(error, VaultError) else error.code


def _page(code: str, message: str | None = None, hint: str | None = None) -> Response:
    usual, next_step, status = _TEXTS.get(code, _TEXTS[UNKNOWN_ATTEMPT])
    return problem_page(
        title="This account was not connected",
        message=message or usual,
        hint=hint or next_step,
        code=code,
        status=status if code in _TEXTS else 403,
    )


def _random(size: int) -> SecretToken:
    return SecretToken(secrets.token_urlsafe(size))


def _digest(value: SecretToken) -> str:
    """SHA-256 of a one-time value's text, in hex: the form in which the database knows it."""
    return hashlib.sha256(value.reveal_bytes()).hexdigest()


def _digest_text(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


def _single(query: QueryParams, name: str, form: re.Pattern[str]) -> SecretToken | None:
    """A parameter that stands there once (RFC 6749 section 3.1) and has the right form; else None."""
    values = query.getlist(name)
    return SecretToken(values[0]) if len(values) == 1 and form.fullmatch(values[0]) else None


def _with_parameter(url: str, name: str, value: str) -> str:
    """A URL with one more query parameter; everything else of it stays as it was, character by character."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode({name: value})) if part)
    return urlunsplit(parts._replace(query=query))
