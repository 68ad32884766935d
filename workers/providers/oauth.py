"""The OAuth 2.0 client: authorization code with PKCE, refresh, revocation, and whose account it is.

Authlib builds the requests (RFC 6749, 7636, 7009); every byte travels over the HTTP client of `workers.http`.
What differs between platforms is data (`platforms.toml`). Tokens go in and out as `SecretToken`; exceptions
carry the platform's error code at most, never its text, a token or a URL with one (P1.11).
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
from authlib.common.urls import add_params_to_qs  # type: ignore[import-untyped]
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]

from workers.errors import (
    GrantRevokedError,
    ProviderAnswerError,
    ProviderError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from workers.http import exchange
from workers.providers.definitions import PlatformDefinition, definition_for, endpoint
from workers.providers.oauth_answers import (
    TEXT_LENGTH,
    error_of,
    json_of,
    picture_of,
    retry_after_of,
    scopes_of,
    seconds_of,
    text_of,
    token_of,
    value_at,
)
from workers.settings import PLATFORMS, PlatformApp, Settings
from workers.vault.secret import SecretToken

__all__ = ["ExternalProfile", "PlatformOAuth", "TokenGrant", "oauth_clients", "redirect_uri"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_PAUSES_AFTER_401: Final = (0.5, 1.5)  # seconds
# RFC 7009 section 2.2: an invalid token needs no error, it is gone. Google answers with one all the same.
_GONE_ALREADY: Final = frozenset({"invalid_token"})


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What a token endpoint gave.

    Attributes:
        access: the access token.
        refresh: the refresh token, or None when the answer had none (on a refresh: the old one stays valid).
        access_expires_in, refresh_expires_in: seconds from the answer, or None when it did not say.
        scopes: what was granted, as the platform writes it, or None when the answer did not say, which means:
            what was asked for (RFC 6749 section 5.1).
    """

    access: SecretToken
    refresh: SecretToken | None = None
    access_expires_in: int | None = None
    refresh_expires_in: int | None = None
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ExternalProfile:
    """Whose account it is at the platform (P1.12: public profile data).

    Attributes:
        subject: id that never changes, 1 to 255 characters.
        handle, name: user name and display name, at most 255 characters; None where the platform has none.
        avatar_url: https URL of the picture, or None.
    """

    subject: str
    handle: str | None
    name: str | None
    avatar_url: str | None


def redirect_uri(public_url: str, platform_id: str) -> str:
    """Where a platform sends the browser back to: one address per platform (mix-up, RFC 9700, 4.4)."""
    return f"{public_url.rstrip('/')}/oauth/{platform_id}/callback"


def oauth_clients(settings: Settings, http: httpx.AsyncClient) -> dict[str, PlatformOAuth]:
    """The clients of every platform that this deployment has credentials (or a sandbox) for, by platform id.

    Args:
        settings: where the credentials are.
        http: from `workers.http.build_client(OAUTH)`; the caller closes it.
    """
    clients = {}
    for platform_id in PLATFORMS:
        app, definition = settings.app_for(platform_id), definition_for(platform_id)
        if app is not None and definition is not None:
            clients[platform_id] = PlatformOAuth(definition, app, http)
    return clients


def _without_inner_frames(method: Callable[_P, Awaitable[_T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Lets a failure out without the frames in which it arose: their local variables hold tokens in the
    clear, and so do the exceptions behind it.
    """

    @functools.wraps(method)
    async def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await method(*args, **kwargs)
        except ProviderError as error:
            failure = error
        failure.__cause__ = failure.__context__ = None
        try:
            raise failure.with_traceback(None)
        finally:
            del failure  # or this frame and the exception would keep each other alive

    return wrapper


class _Protocol(OAuth2Client):  # type: ignore[misc]
    """Authlib's client over `workers.http.exchange`; its calls return the bare response.

    Authlib's own httpx classes would build HTTP clients of their own, and put request and token into
    exceptions.
    """

    async def _fetch_token(
        self, url: str, body: str = "", headers: Any = None, auth: Any = None, method: str = "POST"
    ) -> httpx.Response:
        return await self._http_post(url, body, auth=auth, headers=headers)

    async def _refresh_token(
        self, url: str, refresh_token: Any = None, body: str = "", headers: Any = None, auth: Any = None
    ) -> httpx.Response:
        return await self._http_post(url, body, auth=auth, headers=headers)

    async def _http_post(
        self, url: str, body: str | None = None, auth: Any = None, headers: Any = None
    ) -> httpx.Response:
        url, headers, body = auth.prepare("POST", url, {"Accept": "application/json", **headers}, body or "")
        return await exchange(self.session, "POST", url, content=body, headers=headers)


class PlatformOAuth:
    """One platform's OAuth 2.0 client. Holds no token and no state of a flow; safe to share between tasks.

    Every method that asks the platform raises, besides what it names:
        ProviderTransportError: no answer, the outcome is unknown (`ProviderNotSentError`: it certainly never
            arrived).
        ProviderRateLimitedError, ProviderUnavailableError: not now.
        ProviderRefusedError: the platform said no; `code` holds its error code.
        ProviderAnswerError: the answer is not what the protocol allows.
    """

    def __init__(self, definition: PlatformDefinition, app: PlatformApp, http: httpx.AsyncClient) -> None:
        self.definition = definition
        self._app = app
        self._http = http

    def authorization_url(
        self, *, state: SecretToken, verifier: SecretToken, scopes: Sequence[str], redirect_uri: str
    ) -> str:
        """Where the person consents.

        Args:
            state: random, of at least 128 bits; comes back with the redirect.
            verifier: PKCE verifier of 43 to 128 characters (RFC 7636 section 4.1); unused where the platform
                has no PKCE.
            scopes: as kept in the database.
            redirect_uri: see `redirect_uri`.
        """
        definition = self.definition
        url, _ = self._protocol().create_authorization_url(
            endpoint(definition.authorize_url, self._app.sandbox_url),
            state=state.reveal(),
            redirect_uri=redirect_uri,
            scope=definition.scope_separator.join(definition.wire_scope(scope) for scope in scopes),
            code_verifier=verifier.reveal() if definition.pkce == "S256" else None,
            **self._hex_challenge(verifier),
            **definition.authorize_parameters,
        )
        return self._with_client_id_named(url)

    @_without_inner_frames
    async def exchange_code(
        self, *, code: SecretToken, verifier: SecretToken, redirect_uri: str
    ) -> TokenGrant:
        """Exchanges an authorization code. Where tokens live long instead of being refreshed, takes that step
        too.

        Args:
            code: as it came with the redirect.
            verifier, redirect_uri: the same as for `authorization_url`.
        """
        extra = {} if self.definition.pkce == "none" else {"code_verifier": verifier.reveal()}
        answer = await self._protocol().fetch_token(
            endpoint(self.definition.token_url, self._app.sandbox_url),
            grant_type="authorization_code",
            code=code.reveal(),
            redirect_uri=redirect_uri,
            **extra,
        )
        short = self._grant(answer)
        if self.definition.refresh.style == "refresh_token":
            return short
        long = self._grant(await self._exchange_for_long_lived(short.access))
        return self._self_renewing(long, short.scopes)

    @_without_inner_frames
    async def refresh(self, refresh: SecretToken) -> TokenGrant:
        """Gets a new access token without the person.

        Args:
            refresh: the refresh token of the last grant.

        Raises:
            GrantRevokedError: the grant is over for good. Nothing else means that (P6.8).
        """
        facts = self.definition.refresh
        if facts.style == "long_lived":
            assert facts.renew_url is not None  # noqa: S101 - checked when the definitions are read
            query = {"grant_type": facts.renew_grant, "access_token": refresh.reveal()}
            return self._self_renewing(self._grant(await self._get(facts.renew_url, params=query)), None)
        answer = await self._protocol().refresh_token(
            endpoint(self.definition.token_url, self._app.sandbox_url), refresh_token=refresh.reveal()
        )
        return self._grant(answer)

    @_without_inner_frames
    async def fetch_profile(self, access: SecretToken) -> ExternalProfile | None:
        """Asks whose account an access token belongs to; None when there is no account behind it (a Google
        user without a channel).
        """
        facts = self.definition.profile
        document = await self._ask_with_new_token(facts.url, access)
        subject = value_at(document, facts.subject)
        if subject is None:
            return None
        if not isinstance(subject, str | int) or not 1 <= len(str(subject)) <= TEXT_LENGTH:
            raise ProviderAnswerError(self._host(facts.url), "no account id")
        return ExternalProfile(
            subject=str(subject),
            handle=text_of(value_at(document, facts.handle)),
            name=text_of(value_at(document, facts.name)),
            avatar_url=picture_of(value_at(document, facts.avatar)),
        )

    def revocation_token(self, access: SecretToken, refresh: SecretToken | None) -> SecretToken | None:
        """The one token that giving the grant back will need; None where no revocation is offered."""
        facts = self.definition.revocation
        if facts is None:
            return None
        return access if facts.token == "access" or refresh is None else refresh  # noqa: S105 - no password

    @_without_inner_frames
    async def revoke(self, token: SecretToken) -> None:
        """Gives a token back (RFC 7009). Returns when it is gone, also when it had been gone before, and at
        once where the platform offers no revocation.

        Raises:
            ProviderUnavailableError: 503 and the like: the token still lives (RFC 7009 section 2.2.1).
        """
        facts = self.definition.revocation
        if facts is None:
            return
        response = await self._protocol(facts.client_auth).revoke_token(
            endpoint(facts.url, self._app.sandbox_url), token=token.reveal()
        )
        try:
            self._check_success(response)
        except ProviderRefusedError as refusal:
            if refusal.code not in _GONE_ALREADY:
                raise

    # --- requests ------------------------------------------------------------------------------------------

    def _protocol(self, client_auth: str | None = None) -> _Protocol:
        method = client_auth or self.definition.client_auth
        protocol = _Protocol(
            self._http,
            client_id=self._app.client_id,
            client_secret=self._app.client_secret.get_secret_value(),
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            code_challenge_method="S256" if self.definition.pkce == "S256" else None,
        )
        protocol.register_client_auth_method(("client_secret_post", self._credentials_in_body))
        protocol.register_client_auth_method(("none", _no_credentials))
        return protocol

    def _credentials_in_body(
        self, client: Any, method: str, uri: str, headers: Any, body: str
    ) -> tuple[str, Any, str]:
        """Authlib's client_secret_post with the platform's own name for the client id."""
        credentials = (
            (self.definition.client_id_parameter, client.client_id),
            ("client_secret", client.client_secret),
        )
        return uri, headers, add_params_to_qs(body, credentials)

    def _with_client_id_named(self, url: str) -> str:
        parts = urlsplit(url)
        renamed = [
            (self.definition.client_id_parameter if name == "client_id" else name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        return urlunsplit(parts._replace(query=urlencode(renamed)))

    def _hex_challenge(self, verifier: SecretToken) -> dict[str, str]:
        if self.definition.pkce != "S256_hex":
            return {}
        challenge = hashlib.sha256(verifier.reveal_bytes()).hexdigest()
        return {"code_challenge": challenge, "code_challenge_method": "S256"}

    @staticmethod
    def _self_renewing(grant: TokenGrant, scopes: tuple[str, ...] | None) -> TokenGrant:
        """A token that renews itself is its own refresh token, and once it has ended nothing renews it."""
        life = grant.access_expires_in
        return TokenGrant(grant.access, grant.access, life, life, scopes)

    async def _exchange_for_long_lived(self, access: SecretToken) -> httpx.Response:
        facts = self.definition.refresh
        assert facts.exchange_url is not None  # noqa: S101 - checked when the definitions are read
        query = {
            "grant_type": facts.exchange_grant,
            "client_secret": self._app.client_secret.get_secret_value(),
            "access_token": access.reveal(),
        }
        return await self._get(facts.exchange_url, params=query)

    async def _ask_with_new_token(self, url: str, access: SecretToken) -> Mapping[str, Any]:
        """Asks with a token that is seconds old: some platforms answer 401 until it has spread among their
        servers (LinkedIn says REVOKED_ACCESS_TOKEN, decioferreira/omniauth-linkedin-oauth2#81).
        """
        for pause in _PAUSES_AFTER_401:
            try:
                return self._document(await self._get_with(url, access))
            except ProviderRefusedError as refusal:
                if refusal.http_status != 401:
                    raise
            await asyncio.sleep(pause)
        return self._document(await self._get_with(url, access))

    async def _get_with(self, url: str, access: SecretToken) -> httpx.Response:
        return await self._get(url, headers={"Authorization": f"Bearer {access.reveal()}"})

    async def _get(self, url: str, **arguments: Any) -> httpx.Response:
        target = endpoint(url, self._app.sandbox_url)
        headers = {"Accept": "application/json", **arguments.pop("headers", {})}
        return await exchange(self._http, "GET", target, headers=headers, **arguments)

    # --- answers -------------------------------------------------------------------------------------------

    def _host(self, url: str) -> str:
        return urlsplit(endpoint(url, self._app.sandbox_url)).hostname or "?"

    def _check_success(self, response: httpx.Response) -> Any:
        """The JSON body of a good answer (None when there is none).

        Raises: as the class says.
        """
        host, status = response.url.host, response.status_code
        if status == 429:
            raise ProviderRateLimitedError(host, status, retry_after_of(response))
        if status >= 500:
            raise ProviderUnavailableError(host, status)
        document = json_of(response)
        error, description = error_of(document)
        if error is None and status < 300:
            return document
        if error is not None and self.definition.is_ended_grant(error, description):
            raise GrantRevokedError(host, error, status)
        raise ProviderRefusedError(host, error or f"http_{status}", status)

    def _document(self, response: httpx.Response) -> Mapping[str, Any]:
        document = self._check_success(response)
        if not isinstance(document, dict):
            raise ProviderAnswerError(response.url.host, "no JSON object")
        return document

    def _grant(self, response: httpx.Response) -> TokenGrant:
        document, host = self._document(response), response.url.host
        if "access_token" not in document:  # Instagram's documents show the answer inside a list named "data"
            wrapped = value_at(document, "data.0")
            document = wrapped if isinstance(wrapped, dict) else document
        if str(document.get("token_type") or "bearer").lower() != "bearer":
            raise ProviderAnswerError(host, "the token is no bearer token")
        access = token_of(document.get("access_token"), host)
        if access is None:
            raise ProviderAnswerError(host, "no access token")
        refresh_life = document.get("refresh_token_expires_in", document.get("refresh_expires_in"))
        return TokenGrant(
            access=access,
            refresh=token_of(document.get("refresh_token"), host),
            access_expires_in=seconds_of(document.get("expires_in")),
            refresh_expires_in=seconds_of(refresh_life),
            scopes=scopes_of(document.get(self.definition.granted_scopes_field)),
        )

    def kept_scopes(self, grant: TokenGrant, asked: Sequence[str]) -> tuple[str, ...]:
        """What was granted, in the form in which scopes are kept in the database.

        Args:
            grant: from `exchange_code`.
            asked: the scopes of the authorization request.
        """
        if grant.scopes is None:
            return tuple(asked)
        short = {self.definition.wire_scope(scope): scope for scope in asked}
        return tuple(short.get(scope, scope) for scope in grant.scopes)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an OAuth client holds a client secret and cannot be pickled or copied")


def _no_credentials(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
    return uri, headers, body


class _WithoutQuery(logging.Filter):
    """httpx logs the whole URL of each request, and Instagram wants tokens in its URLs (P1.11): cut the query
    off.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())
