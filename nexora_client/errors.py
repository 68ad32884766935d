"""Every error of the client, one tree.

::

    NexoraError
    ├── Misconfigured             the URL or the key cannot be used; nothing was sent
    ├── TransportError            no answer: whether the call took effect is unknown
    │   └── TimedOut              … within `http_timeout`
    ├── ServiceUnavailable        the service cannot do it now; later it may
    │   └── NoWorker              no worker runs that could take part
    ├── RateLimited               too many requests
    ├── ServiceFault              a mistake in the service itself; report it
    ├── UnexpectedAnswer          an answer that this version of the client does not understand
    ├── NotSignedIn               no session, or one that was ended or has expired
    │   └── WrongCredentials      the e-mail address or the password is wrong
    ├── AccountNotUsable          signed in, but the account may not act
    │   ├── SignUpIncomplete      … until `account.complete_sign_up`
    │   ├── AwaitingGuardian      … until a guardian has consented
    │   ├── AccountRestricted     … until `privacy.rights.lift_restriction`
    │   ├── AccountLocked         … at all
    │   ├── EmailNotConfirmed     … until the e-mail address is confirmed
    │   └── TooYoung              nobody under 13 can have an account
    ├── Forbidden                 the person may not do this
    │   └── FeatureNotGranted     the connected account was not authorised for it
    ├── NotFound                  no such thing, or it belongs to somebody else
    ├── Conflict                  contradicts what is there already
    │   ├── AlreadyExists         the value is taken or reserved
    │   ├── IdempotencyKeyReused  the key belongs to another request
    │   └── WrongState            the thing's state does not allow this step
    ├── ValidationFailed          a value that was sent is not acceptable; see `problems`
    └── NotSettled                targets are still on their way after the time that was given

`code` is a SQLSTATE, a code of the service's registry (NX) or of Supabase. Switch on it or on the class, not on text;
`nexora_client.error_codes` says which code is which class.
"""

# ruff: noqa: N818  (named for what happened, as in httpx: `except NotSignedIn` reads as a sentence)
from __future__ import annotations

import json

from pydantic import ValidationError

from nexora_client.rows import Problem

__all__ = [
    "AccountLocked",
    "AccountNotUsable",
    "AccountRestricted",
    "AlreadyExists",
    "AwaitingGuardian",
    "Conflict",
    "EmailNotConfirmed",
    "FeatureNotGranted",
    "Forbidden",
    "IdempotencyKeyReused",
    "Misconfigured",
    "NexoraError",
    "NoWorker",
    "NotFound",
    "NotSettled",
    "NotSignedIn",
    "RateLimited",
    "ServiceFault",
    "ServiceUnavailable",
    "SignUpIncomplete",
    "TimedOut",
    "TooYoung",
    "TransportError",
    "UnexpectedAnswer",
    "ValidationFailed",
    "WrongCredentials",
    "WrongState",
]


class NexoraError(Exception):
    """Root of the tree.

    Attributes:
        message: what happened, for people.
        code: SQLSTATE, NX code or a code of Supabase; None where there was no answer.
        hint: the next step, where the service knows one.
        details: more about the case. May hold what the person sent, so it is not part of `str()`: never log it.
    """

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, details: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        text = self.message if self.code is None else f"{self.message} [{self.code}]"
        return text if not self.hint else f"{text} {self.hint}"


class Misconfigured(NexoraError):
    """The URL or the key cannot be used."""


class TransportError(NexoraError):
    """No answer came, so it is unknown whether the call took effect."""


class TimedOut(TransportError):
    """No answer came within the client's `http_timeout`."""


class ServiceUnavailable(NexoraError):
    """The service cannot do this now; nothing of the call was kept."""


class NoWorker(ServiceUnavailable):
    """No worker has announced itself, and this needs one."""


class ServiceFault(NexoraError):
    """A mistake in the service itself, never in the call."""


class RateLimited(NexoraError):
    """Too many requests; wait before the next one."""


class UnexpectedAnswer(NexoraError):
    """Client and service are of versions that do not fit together."""


class NotSignedIn(NexoraError):
    """There is no session, or it was ended or has expired."""


class WrongCredentials(NotSignedIn):
    """The e-mail address or the password is wrong; the service does not say which."""


class AccountNotUsable(NexoraError):
    """The person is signed in, but the account may not act."""


class SignUpIncomplete(AccountNotUsable):
    """The date of birth is missing; see `account.complete_sign_up`."""


class AwaitingGuardian(AccountNotUsable):
    """The person is between 13 and 18, and no guardian has consented (P9.2)."""


class AccountRestricted(AccountNotUsable):
    """The person has the processing of their data restricted (P7.7)."""


class AccountLocked(AccountNotUsable):
    """The account is locked."""


class EmailNotConfirmed(AccountNotUsable):
    """The e-mail address was not confirmed yet."""


class TooYoung(AccountNotUsable):
    """Nobody under 13 can have an account (P9.1)."""


class Forbidden(NexoraError):
    """The person may not do this."""


class FeatureNotGranted(Forbidden):
    """The connected account is not authorised for the feature; connect it again with that feature (P6.5)."""


class NotFound(NexoraError):
    """There is no such thing, or it belongs to somebody else: the service does not say which."""


class Conflict(NexoraError):
    """What was asked contradicts what is there already."""


class AlreadyExists(Conflict):
    """The value is taken or reserved."""


class IdempotencyKeyReused(Conflict):
    """The idempotency key was used for another request."""


class WrongState(Conflict):
    """The state of the thing does not allow this step."""


class ValidationFailed(NexoraError):
    """A value that was sent is not acceptable.

    Attributes:
        problems: what is wrong, one by one; empty where the service named no parts.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        details: str | None = None,
        problems: tuple[Problem, ...] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, details=details)
        self.problems: tuple[Problem, ...] = _parse_problems(details) if problems is None else problems


class NotSettled(NexoraError):
    """Targets were still scheduled or publishing when the time was over. Nothing was changed by that."""


def _parse_problems(details: str | None) -> tuple[Problem, ...]:
    """Read the problems that a refused post carries in its DETAIL (NX410): a JSON array of objects."""
    try:
        rows = json.loads(details or "null")
    except ValueError:
        return ()
    if not isinstance(rows, list):
        return ()
    try:
        return tuple(Problem.model_validate(row) for row in rows)
    except ValidationError:
        return ()
