"""Accounts on other platforms that the person has connected."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from nexora_client.errors import WrongState
from nexora_client.rows import Instant, OwnedRow, Row
from nexora_client.transport import Transport, parse_row, parse_rows, parse_value

__all__ = [
    "Connection",
    "ConnectionState",
    "ConnectionsContext",
    "Feature",
    "OfferedPlatform",
    "Platform",
    "PlatformFeature",
]


class Platform(StrEnum):
    """A platform that can be connected."""

    YOUTUBE = "youtube"
    X = "x"
    LINKEDIN = "linkedin"
    INSTAGRAM = "instagram"
    TIKTOK = "tiktok"


class Feature(StrEnum):
    """What a connection can be authorised for; each stands for scopes of the platform (P6.1 to P6.4)."""

    PROFILE = "profile"
    PUBLISH = "publish"
    COMMENTS = "comments"
    ANALYTICS = "analytics"
    INBOX = "inbox"


class OfferedPlatform(Row, frozen=True):
    """A platform that the service knows; `is_publishable` says whether posts can be scheduled to it yet."""

    id: Platform
    display_name: str
    is_publishable: bool


class PlatformFeature(Row, frozen=True):
    """What a platform offers, and the scopes that the person will be asked for."""

    platform_id: Platform
    feature: Feature
    scopes: tuple[str, ...]
    purpose: str


class ConnectionState(StrEnum):
    """Whether a connected account can be used."""

    ACTIVE = "active"
    NEEDS_RECONNECT = "needs_reconnect"
    DISCONNECTED = "disconnected"


class Connection(OwnedRow, frozen=True):
    """One connected account. Its tokens are never shown to anybody (P6.6).

    Attributes:
        scopes: what the platform granted.
        token_expires_at: the service renews the access token before, without the person.
        usable_until: until when it works without the person; None is without end.
        last_error_code: why it needs to be connected again.
    """

    platform_id: Platform
    external_account_id: str
    handle: str | None
    display_name: str | None
    avatar_url: str | None
    scopes: tuple[str, ...]
    state: ConnectionState
    connected_at: Instant
    token_expires_at: Instant | None
    refresh_expires_at: Instant | None
    usable_until: Instant | None
    disconnected_at: Instant | None
    last_error_code: str | None
    updated_at: Instant


class ConnectionsContext:
    """`client.connections`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def platforms(self) -> tuple[OfferedPlatform, ...]:
        """The platforms whose accounts can be connected."""
        return self._transport.select(OfferedPlatform, "platforms", {}, order="id")

    def features(self) -> tuple[PlatformFeature, ...]:
        """What can be connected, and for what."""
        return self._transport.select(PlatformFeature, "platform_features", {}, order="platform_id")

    def list(self) -> tuple[Connection, ...]:
        """Every account that is or was connected, oldest first."""
        return self._transport.select(Connection, "connections", {}, order="connected_at")

    def get(self, connection_id: UUID) -> Connection:
        """One connected account.

        Raises:
            NotFound: the person has no such connection.
        """
        return self._transport.select_one(Connection, "connections", {"id": connection_id})

    def begin(
        self,
        platform: Platform,
        features: Iterable[Feature],
        redirect_to: str,
        *,
        reconnect: UUID | None = None,
    ) -> str:
        """Start to connect an account: open the returned URL, within 2 minutes, in the person's browser.

        Args:
            platform: the platform.
            features: what the connection will be used for; only their scopes are asked for.
            redirect_to: where the browser goes afterwards; must be on the operator's list, exactly.
            reconnect: the connection to renew; the person has to choose the same account.

        Raises:
            ValidationFailed: the platform does not offer a feature, or the redirect is not on the list.
            NotFound: the person has no connection `reconnect`.
            NoWorker: no worker runs that could receive the person.

        The browser comes back to `redirect_to` with `connection_code`, for `confirm`, or with `error`, an NX
        code of `error_codes.NX_ERRORS`.
        """
        answer = self._transport.call(
            "begin_connection",
            platform=platform,
            features=[*features],
            redirect_to=redirect_to,
            reconnect=reconnect,
        )
        return parse_value(str, answer)

    def confirm(self, code: str) -> Connection:
        """Complete a connection, within 10 minutes, in the session of the person who began it.

        Args:
            code: the `connection_code` with which the browser came back. Confirming again, after a lost
                answer for instance, gives the same connection.

        Raises:
            WrongState: the code is unknown, expired or belongs to somebody else's attempt (NX210).
                Nothing was connected; what the platform granted is given back to it.
            AlreadyExists: somebody else has connected this account meanwhile.
            Conflict: this is not the account to reconnect, or its tokens were changed meanwhile.
        """
        rows = parse_rows(Connection, self._transport.call("confirm_connection", code=code))
        if not rows:
            raise WrongState(
                "This connection attempt is unknown, used or expired",
                code="NX210",
                hint="Start again from the list of connections.",
            )
        return rows[0]

    def disconnect(self, connection_id: UUID) -> Connection:
        """Disconnect an account: its tokens are deleted at once (P6.7). Repeating it changes nothing.

        Targets that were scheduled on it fail; what is published stays.

        Raises:
            NotFound: the person has no such connection.
        """
        return parse_row(Connection, self._transport.call("disconnect_account", connection_id=connection_id))
