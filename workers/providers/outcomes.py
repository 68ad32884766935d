"""The words in which publishers answer; what each stands for strictly is in `base`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

__all__ = [
    "Budget",
    "NeedsReconnect",
    "NotAccepted",
    "Outcome",
    "PublishStopped",
    "Published",
    "Rejected",
    "Unknown",
]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a platform still allows, as an answer of it told.

    Attributes:
        scope: whose limit: of the connected `account`, or of our `app` over all accounts.
        name: our name of the window, e.g. `post_24h`.
        limit: calls per window; None when the platform did not say.
        remaining: calls left in it.
        resets_at: when it is full again; None when the platform did not say.
    """

    scope: Literal["account", "app"]
    name: str
    limit: int | None
    remaining: int
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The platform has the post.

    Attributes:
        external_id: its id there.
        url: where people see it; None when the platform has no such place.
        budget: what the platform told about its limits.
        charge: what the platform charges the deployment for this call, as a name in `platform_prices`.
        notice: our name of something that the person should know although the post is out.
    """

    external_id: str
    url: str | None = field(default=None, repr=False)
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()
    charge: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Known not to have been accepted; trying again is safe.

    Attributes:
        code: our name of the reason.
        retry_after: seconds until a repeat makes sense, where the platform said so.
        message: for the person, where there is something worth saying.
    """

    code: str
    retry_after: float | None = None
    message: str | None = field(default=None, repr=False)
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good: trying the same again would be refused again.

    Attributes:
        code: our name of the reason.
        message: in plain words, for the person; says what to change.
    """

    code: str
    message: str = field(repr=False)
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been accepted.

    Attributes:
        retry_after: seconds until probing makes sense.
        is_final: the platform cannot be asked, now or later: the person has to look.
    """

    code: str
    retry_after: float | None = None
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class NeedsReconnect:
    """The platform does not honour the access token. Nothing was accepted by this call."""

    code: str
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()


Outcome = Published | NotAccepted | Rejected | Unknown | NeedsReconnect


class PublishStopped(Exception):  # noqa: N818  an outcome on its way out of nested upload steps, not an error
    """Publishing cannot go on; `outcome` says why. Never `Published` nor `Unknown`: nothing irreversible was
    done."""

    def __init__(self, outcome: NotAccepted | Rejected | NeedsReconnect) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome
