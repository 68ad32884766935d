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

`code` is a SQLSTATE, a code of the service's registry (NX) or of Supabase. Switch on it or on the class, not on text.
"""

# ruff: noqa: N818  (named for what happened, as in httpx: `except NotSignedIn` reads as a sentence)
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from nexora_client.rows import Problem

__all__ = [
    "AccountLocked",
    "AccountNotUsable",
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


# Codes of the service's error registry (`private.error_registry`). A test compares this table with it.
NX_ERRORS: Final[Mapping[str, type[NexoraError]]] = {
    "NX000": ServiceFault,
    "NX001": NotSignedIn,
    "NX002": ValidationFailed,
    "NX003": IdempotencyKeyReused,
    "NX005": ValidationFailed,  # to workers only
    "NX010": Forbidden,
    "NX020": Forbidden,
    "NX101": TooYoung,
    "NX102": ValidationFailed,
    "NX110": SignUpIncomplete,
    "NX111": AwaitingGuardian,
    "NX112": AccountLocked,
    "NX113": WrongState,
    "NX114": WrongState,
    "NX120": ValidationFailed,
    "NX121": AlreadyExists,
    "NX122": AlreadyExists,
    "NX130": ValidationFailed,
    "NX201": NotFound,
    "NX202": ValidationFailed,
    "NX203": ValidationFailed,
    "NX204": NotFound,
    "NX205": NoWorker,
    "NX206": RateLimited,
    # NX207 to NX219 meet the person while the browser is on its way: as `error` in the return address.
    "NX207": NotFound,
    "NX210": WrongState,
    "NX211": Forbidden,
    "NX212": AlreadyExists,
    "NX213": Conflict,
    "NX214": FeatureNotGranted,
    "NX215": Conflict,
    "NX216": ValidationFailed,
    "NX217": AccountNotUsable,
    "NX218": Forbidden,
    "NX219": ServiceUnavailable,
    "NX301": NotFound,
    "NX302": ValidationFailed,
    "NX400": WrongState,
    "NX401": NotFound,
    "NX402": NotFound,
    "NX410": ValidationFailed,
    "NX411": ValidationFailed,
    "NX412": FeatureNotGranted,
    "NX413": WrongState,
    "NX414": WrongState,
    "NX420": WrongState,
    "NX421": WrongState,
    "NX422": WrongState,
    "NX423": WrongState,
    # From here on: the `failure_code` of a target, which nothing raises.
    "NX430": WrongState,
    "NX431": WrongState,
    "NX432": AccountNotUsable,
    "NX434": WrongState,
    "NX435": WrongState,
    "NX436": WrongState,
    "NX437": WrongState,
    "NX438": WrongState,
    "NX439": WrongState,
    "NX450": ValidationFailed,
    "NX451": WrongState,
    "NX452": WrongState,
    "NX453": ValidationFailed,
    "NX454": Conflict,
    "NX455": NotFound,
    "NX456": NotFound,
    "NX457": ValidationFailed,
    "NX458": WrongState,
    # Messaging.
    "NX801": Forbidden,
    "NX802": Forbidden,
    "NX803": ValidationFailed,
    "NX804": NotFound,
    # Billing and privacy.
    "NX850": Forbidden,
    "NX901": ValidationFailed,
    "NX902": Conflict,
    "NX903": Forbidden,
    "NX904": Forbidden,
    "NX905": Forbidden,
    "NX910": WrongState,
    "NX911": NotFound,
    "NX913": WrongState,
    "NX914": Forbidden,
    "NX915": NotFound,
    "NX916": WrongState,
    "NX930": WrongState,
    "NX931": ValidationFailed,
    "NX932": Forbidden,
    "NX940": ValidationFailed,
    "NX941": RateLimited,
    "NX942": NotFound,  # to workers only
    "NX950": NotFound,
    "NX951": Forbidden,
    "NX952": WrongState,
    "NX990": Forbidden,
    "NX920": NotSignedIn,
    "NX921": NotFound,
    "NX922": WrongState,
    "NX923": WrongState,
}

# Codes of Postgres, PostgREST, Auth and Storage that mean something of their own.
PLATFORM_ERRORS: Final[Mapping[str, type[NexoraError]]] = {
    # Postgres
    "23505": AlreadyExists,
    "23503": NotFound,  # a parent that does not exist or belongs to somebody else
    "42501": Forbidden,
    "42703": UnexpectedAnswer,
    "42883": UnexpectedAnswer,
    "42P01": UnexpectedAnswer,
    "P0001": ServiceFault,  # an error that is not in the registry
    "P0002": NotFound,
    # PostgREST (documentation: references/errors)
    "PGRST116": NotFound,
    "PGRST202": UnexpectedAnswer,
    "PGRST203": UnexpectedAnswer,
    "PGRST204": UnexpectedAnswer,
    "PGRST205": UnexpectedAnswer,
    # Auth
    "invalid_credentials": WrongCredentials,
    "email_exists": AlreadyExists,
    "user_already_exists": AlreadyExists,
    "email_not_confirmed": EmailNotConfirmed,
    "user_banned": AccountLocked,
    "weak_password": ValidationFailed,
    "same_password": ValidationFailed,
    "validation_failed": ValidationFailed,
    "bad_json": UnexpectedAnswer,
    "email_address_invalid": ValidationFailed,
    "email_address_not_authorized": Forbidden,
    "signup_disabled": Forbidden,
    "email_provider_disabled": Forbidden,
    "captcha_failed": Forbidden,
    "over_request_rate_limit": RateLimited,
    "over_email_send_rate_limit": RateLimited,
    "request_timeout": ServiceUnavailable,
    "hook_timeout": ServiceUnavailable,
    "hook_timeout_after_retry": ServiceUnavailable,
    "unexpected_failure": ServiceFault,
    "bad_jwt": NotSignedIn,
    "invalid_jwt": NotSignedIn,
    "no_authorization": NotSignedIn,
    "session_not_found": NotSignedIn,
    "session_expired": NotSignedIn,
    "refresh_token_not_found": NotSignedIn,
    "refresh_token_already_used": NotSignedIn,
    "reauthentication_needed": NotSignedIn,
    "user_not_found": NotSignedIn,
    # Storage, which answers with words and with codes
    "not_found": NotFound,
    "NoSuchKey": NotFound,
    "NoSuchBucket": NotFound,
    "Duplicate": AlreadyExists,
    "KeyAlreadyExists": AlreadyExists,
    "ResourceAlreadyExists": AlreadyExists,
    "AccessDenied": Forbidden,
    "Unauthorized": Forbidden,
    "InvalidJWT": NotSignedIn,
    "InvalidKey": ValidationFailed,
    "InvalidMimeType": ValidationFailed,
    "invalid_mime_type": ValidationFailed,
    "EntityTooLarge": ValidationFailed,
    "Payload too large": ValidationFailed,
    "SlowDown": RateLimited,
}

# By the beginning of the code, longest first where they overlap.
_BY_PREFIX: Final[tuple[tuple[str, type[NexoraError]], ...]] = (
    ("PGRST3", NotSignedIn),  # the token was refused
    ("PGRST0", ServiceUnavailable),  # the API has no database
    ("PGRST", UnexpectedAnswer),
    ("08", ServiceUnavailable),  # connection
    ("40", ServiceUnavailable),  # serialisation failure, deadlock: rolled back
    ("53", ServiceUnavailable),  # resources
    ("55", ServiceUnavailable),  # a lock was not available
    ("57", ServiceUnavailable),  # cancelled, shut down
    ("58", ServiceUnavailable),  # system
    ("22", ValidationFailed),  # a value
    ("23", ValidationFailed),  # a constraint
    ("XX", ServiceFault),  # internal error
)

_BY_STATUS: Final[Mapping[int, type[NexoraError]]] = {
    400: ValidationFailed,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    408: ServiceUnavailable,
    409: Conflict,
    413: ValidationFailed,
    415: ValidationFailed,
    422: ValidationFailed,
    429: RateLimited,
    500: ServiceFault,
}


def class_for(code: str | None, status: int | None = None) -> type[NexoraError]:
    """The class that stands for an answer.

    Args:
        code: what the answer names, see `NexoraError.code`; may be an HTTP status itself ("502", "PT409").
        status: HTTP status, where the answer has no telling code.
    """
    if code is not None:
        exact = NX_ERRORS.get(code) or PLATFORM_ERRORS.get(code)
        if exact:
            return exact
        for prefix, by_prefix in _BY_PREFIX:
            if code.startswith(prefix) and (len(code) == 5 or prefix.startswith("PGRST")):
                return by_prefix
        digits = code.removeprefix("PT")
        if len(digits) == 3 and digits.isdigit():
            status = int(digits)
    if status is None:
        return NexoraError
    return _BY_STATUS.get(status, ServiceUnavailable if status > 500 else NexoraError)
