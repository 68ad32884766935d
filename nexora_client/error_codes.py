"""Which error code is which class of `nexora_client.errors`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nexora_client.errors import (
    AccountLocked,
    AccountNotUsable,
    AccountRestricted,
    AlreadyExists,
    AwaitingGuardian,
    Conflict,
    EmailNotConfirmed,
    FeatureNotGranted,
    Forbidden,
    IdempotencyKeyReused,
    NexoraError,
    NotFound,
    NotSignedIn,
    NoWorker,
    RateLimited,
    ServiceFault,
    ServiceUnavailable,
    SignUpIncomplete,
    TooYoung,
    UnexpectedAnswer,
    ValidationFailed,
    WrongCredentials,
    WrongState,
)

__all__ = ["NX_ERRORS", "PLATFORM_ERRORS", "class_for"]

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
    "NX115": AccountRestricted,
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
    # Analytics.
    "NX701": ValidationFailed,
    "NX702": ValidationFailed,
    "NX703": RateLimited,
    "NX704": Forbidden,  # nobody is told through the API
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
    "NX920": NotSignedIn,
    "NX921": NotFound,
    "NX922": WrongState,
    "NX923": WrongState,
    "NX930": WrongState,
    "NX931": ValidationFailed,
    "NX932": Forbidden,
    "NX940": ValidationFailed,
    "NX941": RateLimited,
    "NX942": NotFound,  # to workers only
    "NX950": NotFound,
    "NX951": Forbidden,
    "NX952": WrongState,
    "NX960": NotFound,
    "NX961": WrongState,
    "NX962": RateLimited,
    "NX990": Forbidden,
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
