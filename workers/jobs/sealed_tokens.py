"""A set of tokens on its way to the database: sealed for exactly the place where it will be stored (P3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from workers.providers.oauth import PlatformOAuth
from workers.vault import SecretToken, TokenContext, TokenField, Vault, sealed_to_text

__all__ = ["SealedTokens", "TokenPlace", "ends_at", "seal_tokens"]

NO_REVOCATION: Final = SecretToken("none")  # what is sealed for revocation where the platform offers none


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a set of tokens belongs; each of its fields is bound into the sealed records."""

    user_id: UUID
    connection_id: UUID
    platform_id: str
    generation: int

    def of(self, field: TokenField) -> TokenContext:
        """The place of one token of the set."""
        return TokenContext(self.user_id, self.connection_id, self.platform_id, field, self.generation)


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """A set of tokens as it is stored: base64 records, and the ids of the keys that wrap them."""

    access: str
    refresh: str | None
    revocation: str
    key_ids: tuple[str, ...]


def seal_tokens(
    vault: Vault, client: PlatformOAuth, place: TokenPlace, access: SecretToken, refresh: SecretToken | None
) -> SealedTokens:
    """Seals a set of tokens for its place (P3.4).

    Args:
        vault: seals.
        client: of the platform; knows which token giving the grant back takes.
        place: where the set will be stored.
        access: access token.
        refresh: refresh token, or None.
    """

    def sealed(field: TokenField, token: SecretToken) -> str:
        return sealed_to_text(vault.seal(token, place.of(field)))

    return SealedTokens(
        access=sealed("access", access),
        refresh=None if refresh is None else sealed("refresh", refresh),
        revocation=sealed("revocation", client.revocation_token(access, refresh) or NO_REVOCATION),
        key_ids=(vault.primary_id,),
    )


def ends_at(asked_at: datetime, seconds: int | None) -> datetime | None:
    """When a token ends whose life span came with an answer.

    Args:
        asked_at: when the question was sent, so that the result is rather too early than too late.
        seconds: life span, or None when the answer did not say.
    """
    return None if seconds is None else asked_at + timedelta(seconds=seconds)
