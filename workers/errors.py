"""Every error of the worker package, one tree.

::

    NexoraError
    ├── ConfigurationError                an environment variable is missing or wrong
    ├── LeaseLostError                    the database gave this process's work to another one
    ├── GatewayError                      a call to the database or its storage failed
    │   ├── DatabaseError                 the database answered "no": nothing of the call was kept
    │   │   ├── RuleError                 an NX code of our own error registry
    │   │   │   ├── PlatformRuleError     NX0xx
    │   │   │   ├── IdentityRuleError     NX1xx
    │   │   │   ├── ConnectionRuleError   NX2xx
    │   │   │   ├── ContentRuleError      NX3xx
    │   │   │   ├── PublishingRuleError   NX4xx
    │   │   │   └── PrivacyRuleError      NX9xx
    │   │   ├── AccessRefusedError        wrong key or missing grant
    │   │   ├── ContractMismatchError     worker and database are of different versions
    │   │   └── DatabaseBusyError         rolled back for a passing reason: safe to repeat
    │   ├── TransportError                no answer: the outcome of the call is UNKNOWN
    │   │   └── NotSentError              the request never left: safe to repeat
    │   └── StorageError                  a file could not be read
    │       ├── FileChangedError
    │       └── FileMissingError
    └── ProviderError                     a call to a platform failed
        ├── ProviderTransportError        no answer: the outcome of the call is UNKNOWN
        │   └── ProviderNotSentError      the request never left
        ├── ProviderAnswerError           an answer that the protocol does not allow
        ├── ProviderRefusedError          the platform answered "no"
        │   ├── ProviderRateLimitedError  … for now; `retry_after` says for how long
        │   └── GrantRevokedError         … for good: the person has to connect the account again
        └── ProviderUnavailableError      5xx or an unconfigured platform

Messages of these exceptions hold codes, names of functions, hosts and variables. They never hold a value that
came from a person or a platform, nor a key (P1.11, P3.5). For the same reason they are raised `from None`
where the cause (an httpx or PostgREST exception) carries bodies or headers; `cause` then keeps the name of
its class.
"""

from __future__ import annotations

__all__ = [
    "AccessRefusedError",
    "ConfigurationError",
    "ConnectionRuleError",
    "ContentRuleError",
    "ContractMismatchError",
    "DatabaseBusyError",
    "DatabaseError",
    "FileChangedError",
    "FileMissingError",
    "GatewayError",
    "GrantRevokedError",
    "IdentityRuleError",
    "LeaseLostError",
    "NexoraError",
    "NotSentError",
    "PlatformRuleError",
    "PrivacyRuleError",
    "ProviderAnswerError",
    "ProviderError",
    "ProviderNotSentError",
    "ProviderRateLimitedError",
    "ProviderRefusedError",
    "ProviderTransportError",
    "ProviderUnavailableError",
    "PublishingRuleError",
    "RuleError",
    "StorageError",
    "TransportError",
    "database_error",
]


class NexoraError(Exception):
    """Root of the tree.

    Attributes:
        code: short machine-readable name, safe to log; a class default, or the code that the other side gave.
    """

    code: str = "nexora_error"


class ConfigurationError(NexoraError):
    """An environment variable is missing or unusable.

    Attributes:
        variable: its name. Its value is never part of the message (P3.5).
    """

    code = "configuration"

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


class LeaseLostError(NexoraError):
    """The database no longer counts this process as the holder of its work (heartbeat answered false)."""

    code = "lease_lost"


# --- database -----------------------------------------------------------------------------------------------


class GatewayError(NexoraError):
    """A call to the database API failed.

    Attributes:
        function: name of the worker function or storage operation.
    """

    code = "gateway"

    def __init__(self, function: str, message: str) -> None:
        super().__init__(f"{function}: {message}")
        self.function = function


class DatabaseError(GatewayError):
    """The database refused; its transaction was rolled back, so nothing of the call was kept.

    Attributes:
        code: SQLSTATE, NX code or PGRST code.
        message: text of the error registry (NX codes) or of Postgres. For people; not part of `str()`.
        hint: the next step, from the registry; may be None.
        detail: ids and rule names only for NX codes (contract of the registry); Postgres may put values here,
            so it is neither part of `str()` nor ever logged.
    """

    code = "database"

    def __init__(
        self, function: str, code: str, message: str = "", hint: str | None = None, detail: str | None = None
    ) -> None:
        super().__init__(function, f"refused with {code}")
        self.code = code
        self.message = message
        self.hint = hint
        self.detail = detail


class RuleError(DatabaseError):
    """A rule of ours refused the call (class NX; message and hint come from the error registry)."""


class PlatformRuleError(RuleError):
    """NX0xx: sessions, idempotency keys, protected columns."""


class IdentityRuleError(RuleError):
    """NX1xx: accounts, ages, sessions."""


class ConnectionRuleError(RuleError):
    """NX2xx: connecting accounts, OAuth flows, tokens."""


class ContentRuleError(RuleError):
    """NX3xx: posts, media, files."""


class PublishingRuleError(RuleError):
    """NX4xx: schedules, targets, their transitions."""


class PrivacyRuleError(RuleError):
    """NX9xx: erasure, export, holds."""


class AccessRefusedError(DatabaseError):
    """The key is wrong, or its role lacks a grant."""


class ContractMismatchError(DatabaseError):
    """A function is missing, or its arguments or rows differ: worker and database are of different
    versions."""


class DatabaseBusyError(DatabaseError):
    """Rolled back for a passing reason (deadlock, lock or statement timeout, no connection): safe to
    repeat."""


class TransportError(GatewayError):
    """No usable answer came: whether the call took effect is UNKNOWN.

    Attributes:
        cause: class name of the underlying exception or the HTTP status.
    """

    code = "database_unreachable"

    def __init__(self, function: str, cause: str) -> None:
        super().__init__(function, f"outcome unknown ({cause})")
        self.cause = cause


class NotSentError(TransportError):
    """The request certainly never reached the database: safe to repeat."""

    code = "database_not_reached"


class StorageError(GatewayError):
    """A private file could not be read."""

    code = "storage"


class FileMissingError(StorageError):
    """No such object in the bucket."""

    code = "file_missing"

    def __init__(self, function: str) -> None:
        super().__init__(function, "no such file")


class FileChangedError(StorageError):
    """The object is not the one that was registered: its size differs."""

    code = "file_changed"

    def __init__(self, function: str) -> None:
        super().__init__(function, "another size than registered")


_BLOCKS: dict[str, type[RuleError]] = {
    "NX0": PlatformRuleError,
    "NX1": IdentityRuleError,
    "NX2": ConnectionRuleError,
    "NX3": ContentRuleError,
    "NX4": PublishingRuleError,
    "NX9": PrivacyRuleError,
}

# Postgres appendix A: 40001 serialisation, 40P01 deadlock, 55P03 lock timeout, 57014 cancelled (statement
# timeout), 53xxx insufficient resources. PostgREST: PGRST000..003 no connection or none free in the pool. All
# of them are answers given after a roll-back or before a start.
_BUSY = frozenset({"40001", "40P01", "55P03", "57014", "PGRST000", "PGRST001", "PGRST002", "PGRST003", "429"})
_ACCESS = frozenset({"42501", "28000", "28P01", "PGRST300", "PGRST301", "PGRST302", "PGRST303", "401", "403"})
# 42883 undefined function, 42P01/42703 undefined table/column, 22P02/22023 unreadable argument,
# PGRST1xx unreadable request, PGRST2xx function, schema or argument not found.
_CONTRACT = frozenset(
    {"42883", "42P01", "42703", "42P13", "22P02", "22023", "400", "404", "405", "406", "415"}
)
# The server went away while it worked: nobody knows whether it had committed.
_UNKNOWN_CLASSES = ("08", "57P", "58", "XX")


def database_error(
    function: str, code: str | None, message: str | None, hint: str | None, detail: str | None
) -> GatewayError:
    """Turn the error body of the database API into one exception.

    Args:
        function: name of the called function.
        code: `code` of the body: SQLSTATE, NX or PGRST code; a three-digit HTTP status when the answer was
            not from the database API but from something in front of it; None when the body had none.
        message, hint, detail: the other fields of the body.

    Returns:
        The exception to raise. Anything not known to mean "rolled back" becomes a TransportError (outcome
        unknown).
    """
    text = message or ""
    if not code:
        return TransportError(function, "no code")
    if code[:2] == "NX":
        return _BLOCKS.get(code[:3], RuleError)(function, code, text, hint, detail)
    if code in _BUSY or code.startswith("53"):
        return DatabaseBusyError(function, code, text, hint, detail)
    if code in _ACCESS:
        return AccessRefusedError(function, code, text, hint, detail)
    if code in _CONTRACT or code.startswith(("PGRST1", "PGRST2")):
        return ContractMismatchError(function, code, text, hint, detail)
    if (
        code.startswith(_UNKNOWN_CLASSES)
        or (len(code) == 3 and code[0] not in "4")
        or code.startswith("PGRSTX")
    ):
        return TransportError(function, code)
    return DatabaseError(function, code, text, hint, detail)


# --- platforms ----------------------------------------------------------------------------------------------


class ProviderError(NexoraError):
    """A call to a platform failed.

    Attributes:
        host: host of the platform's endpoint.
    """

    code = "provider"

    def __init__(self, host: str, message: str) -> None:
        super().__init__(f"{host}: {message}")
        self.host = host


class ProviderTransportError(ProviderError):
    """No complete answer came after the request may have left: its outcome is UNKNOWN.

    Attributes:
        cause: class name of the underlying exception.
    """

    code = "no_answer"

    def __init__(self, host: str, cause: str) -> None:
        super().__init__(host, f"outcome unknown ({cause})")
        self.cause = cause


class ProviderNotSentError(ProviderTransportError):
    """The request certainly never reached the platform (no connection): known not to have been accepted."""

    code = "not_reached"


class ProviderAnswerError(ProviderError):
    """The answer breaks the platform's documented protocol (no JSON, a missing field, a foreign upload
    host)."""

    code = "unreadable_answer"


class ProviderRefusedError(ProviderError):
    """The platform answered with a 4xx.

    Attributes:
        code: our name of the refusal.
        http_status: status of the answer.
        retry_after: seconds after which a repeat makes sense, where the platform said so.
    """

    code = "refused"

    def __init__(
        self,
        host: str,
        code: str = "refused",
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(host, f"refused with {code}" + (f" ({http_status})" if http_status else ""))
        self.code = code
        self.http_status = http_status
        self.retry_after = retry_after


class ProviderRateLimitedError(ProviderRefusedError):
    """429: nothing was done; `retry_after` holds seconds where the platform named them."""

    def __init__(self, host: str, http_status: int | None = 429, retry_after: float | None = None) -> None:
        super().__init__(host, "rate_limited", http_status, retry_after)


class GrantRevokedError(ProviderRefusedError):
    """The platform no longer honours the person's grant (RFC 6749 section 5.2 `invalid_grant`, or 401 after a
    refresh): only the person can help, by connecting again (P6.8)."""

    def __init__(self, host: str, code: str = "grant_revoked", http_status: int | None = None) -> None:
        super().__init__(host, code, http_status)


class ProviderUnavailableError(ProviderError):
    """A 5xx answer (for a repeatable call), or a platform that this deployment has no credentials for.

    Attributes:
        http_status: status of the answer; None when the platform is not configured.
    """

    code = "unavailable"

    def __init__(self, host: str, http_status: int | None = None) -> None:
        super().__init__(host, f"unavailable ({http_status})" if http_status else "not configured")
        self.http_status = http_status
