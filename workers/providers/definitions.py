"""How each platform speaks OAuth 2.0: `platforms.toml`, read and checked."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "EndedGrant",
    "PlatformDefinition",
    "Profile",
    "Refresh",
    "Revocation",
    "definition_for",
    "endpoint",
    "load_definitions",
]

_FILE: Final = "platforms.toml"


def _https_only(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.fragment or parts.username:
        raise ValueError("must be an absolute https URL without credentials and fragment")
    return url


Url = Annotated[str, AfterValidator(_https_only)]
ClientAuth = Literal["client_secret_basic", "client_secret_post", "none"]


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Profile(_Fact):
    """Where the platform says whose account it is (P1.12: public profile data only).

    The paths are dotted keys into the JSON answer; a number picks an element of a list. A path that is absent
    here means that the platform has no such thing.

    Attributes:
        url: asked with the new access token as bearer token.
        subject: the account's id at the platform, which never changes.
        handle, name, avatar: user name, display name and picture URL.
    """

    url: Url
    subject: str
    handle: str | None = None
    name: str | None = None
    avatar: str | None = None


class Refresh(_Fact):
    """How a new access token is had without the person.

    Attributes:
        style: `refresh_token` (RFC 6749 section 6; the platform may still withhold the token), or
            `long_lived`: there is no refresh token, the short token of the code is exchanged at once and the
            long one renews itself.
        exchange_url, exchange_grant: short for long (`long_lived` only).
        renew_url, renew_grant: long for a newer one (`long_lived` only).
    """

    style: Literal["refresh_token", "long_lived"]
    exchange_url: Url | None = None
    exchange_grant: str | None = None
    renew_url: Url | None = None
    renew_grant: str | None = None

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        parts = (self.exchange_url, self.exchange_grant, self.renew_url, self.renew_grant)
        wanted = len(parts) if self.style == "long_lived" else 0
        if sum(part is not None for part in parts) != wanted:
            raise ValueError("exchange and renewal belong to style long_lived, all of them")
        return self


class Revocation(_Fact):
    """How a token is given back (RFC 7009).

    Attributes:
        url: revocation endpoint.
        client_auth: how the client proves itself there.
        token: which token is kept for it: `refresh` (the access token where there is no refresh token) or
            `access`.
    """

    url: Url
    client_auth: ClientAuth
    token: Literal["refresh", "access"]


class EndedGrant(_Fact):
    """An answer that says the grant is over for good.

    Attributes:
        error: the error code, compared exactly.
        description: where the code alone is ambiguous, text that the description holds, in any case.
    """

    error: str
    description: str | None = None

    def matches(self, error: str, description: str) -> bool:
        """Whether an error answer is this one."""
        return error == self.error and (
            self.description is None or self.description.lower() in description.lower()
        )


class PlatformDefinition(_Fact):
    """One platform.

    Attributes:
        id: as in `public.platforms`.
        display_name: for people.
        authorize_url: where the person consents.
        token_url: where codes and refresh tokens are exchanged.
        issuer: value of the `iss` parameter of the platform's redirect (RFC 9207), where it sends one.
        pkce: `S256` (RFC 7636), `S256_hex` (the same digest in hex) or `none` where the platform offers no
            PKCE.
        client_auth: how the client proves itself at the token endpoint.
        client_id_parameter: name of the client id in requests.
        scope_separator: between scopes in the authorization request.
        scope_prefix: put before scopes that are kept in a short form, and taken off again in answers.
        authorize_parameters: further parameters of the authorization request.
        granted_scopes_field: field of the token answer that lists what was granted.
        ended_grant: answers that mean the grant is over; nothing else ever disconnects an account.
        profile, refresh, revocation: see there; no revocation means that the platform offers none.
    """

    id: str
    display_name: str
    authorize_url: Url
    token_url: Url
    issuer: str | None = None
    pkce: Literal["S256", "S256_hex", "none"]
    client_auth: Literal["client_secret_basic", "client_secret_post"]
    client_id_parameter: Literal["client_id", "client_key"]
    scope_separator: Literal[" ", ","]
    scope_prefix: str = ""
    authorize_parameters: Mapping[str, str] = Field(default_factory=dict)
    granted_scopes_field: str = "scope"
    ended_grant: Annotated[tuple[EndedGrant, ...], Field(min_length=1, strict=False)]
    profile: Profile
    refresh: Refresh
    revocation: Revocation | None = None

    def wire_scope(self, scope: str) -> str:
        """A scope as the platform writes it."""
        return scope if "://" in scope or not self.scope_prefix else self.scope_prefix + scope

    def is_ended_grant(self, error: str, description: str) -> bool:
        """Whether an error answer of the token endpoint says that the grant is over for good."""
        return any(known.matches(error, description) for known in self.ended_grant)


@functools.cache
def load_definitions() -> Mapping[str, PlatformDefinition]:
    """Every platform by id, in the order of the file.

    Raises:
        pydantic.ValidationError: when the file holds something that is not described here.
    """
    text = resources.files("workers.providers").joinpath(_FILE).read_text(encoding="utf-8")
    tables: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: PlatformDefinition.model_validate({"id": name, **table}) for name, table in tables.items()}


def definition_for(platform_id: str) -> PlatformDefinition | None:
    """The definition of one platform, or None when there is no such platform."""
    return load_definitions().get(platform_id)


def endpoint(url: str, sandbox_url: str | None) -> str:
    """Where an endpoint really is.

    Args:
        url: the platform's own URL.
        sandbox_url: base URL of the sandbox that stands for this platform (`…/x`), or None. It keeps path and
            query and replaces scheme and host: whatever hosts a platform has, the sandbox serves them under
            one base.
    """
    if sandbox_url is None:
        return url
    parts = urlsplit(url)
    return sandbox_url.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
