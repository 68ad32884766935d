"""What all LinkedIn endpoints share: headers, bearer, scopes, throttling and the error bodies of Rest.li.

"Versioning", "Protocol Versions", "Error handling", "API Rate Limiting", "Getting Access".
"""

from __future__ import annotations

import json
from typing import Any

from workers.sandbox.limits import Limiter
from workers.sandbox.oauth import find_bearer
from workers.sandbox.schema import Finding, Schema, check
from workers.sandbox.state import Person
from workers.sandbox.wire import Call, RefusedError, parse_json

# Versions that the service answers, as of November 2026 ("Versioning": a version lives at least one year).
ACTIVE_VERSIONS = frozenset(f"2026{month:02}" for month in range(1, 12)) | {"202512"}
_DAY = 86_400
# Calls per member and day; LinkedIn publishes none, schedulers report 100 to 150 posts a day.
RATES = {"posts.CREATE": 150}
_DEFAULT_RATE = 10_000

_BAD_BEARER = {
    "missing": (65604, "EMPTY_ACCESS_TOKEN", "Empty oauth2 access token"),
    "unknown": (65600, "INVALID_ACCESS_TOKEN", "Invalid access token"),
    "expired": (65602, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
    "revoked": (65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user"),
}


def invalid(status: int, code: str, message: str) -> RefusedError:
    body: dict[str, Any] = {"status": status, "message": message}
    return RefusedError(status, {**body, "code": code} if code else body, {"x-restli-error-response": "true"})


def bad_input(status: int, code: str, description: str, field: str) -> RefusedError:
    """A refusal with the structured details of "Error handling"."""
    problem = {"description": description, "input": {"inputPath": {"fieldPath": field}}, "code": code}
    return RefusedError(
        status,
        {
            "errorDetailType": "com.linkedin.common.error.BadRequest",
            "message": description,
            "errorDetails": {"inputErrors": [problem]},
            "status": status,
        },
        {"x-restli-error-response": "true"},
    )


def forbidden(field: str) -> RefusedError:
    """403 for acting as somebody else."""
    fault = f"Data Processing Exception while processing fields [{field}]"
    text = f"Unpermitted fields present in REQUEST_BODY: {fault}"
    return RefusedError(403, {"serviceErrorCode": 100, "message": text, "status": 403})


def author(person: Person) -> str:
    """URN under which the API knows somebody."""
    return f"urn:li:person:{person.account_id('linkedin')}"


def not_found(resource: str, key: str) -> RefusedError:
    return invalid(404, "NOT_FOUND", f"Entity {key} not found in {resource}")


def throttled() -> RefusedError:
    text = "Resource level throttle limit for calls to this resource is reached."
    return RefusedError(
        429, {"serviceErrorCode": 101, "code": "TOO_MANY_REQUESTS", "message": text, "status": 429}
    )


def enter(call: Call, limiter: Limiter, resource: str, method: str, scope: str = "") -> Person:
    """Bearer, version headers, throttling, scope; the person of the token. No headers for the upload host."""
    person = _bearer(call)
    version = _check_headers(call) if resource else ""
    rule = f"{resource}.{method}"
    _, is_within = limiter.spend(f"linkedin {rule}", person.key, RATES.get(rule, _DEFAULT_RATE), _DAY)
    if not is_within:
        raise throttled()
    if scope and call.token is not None and scope not in call.token.grant.scopes:
        raise _no_permission(f"{rule}.{version}01")
    return person


def userinfo_enter(call: Call) -> Person:
    """`/v2/userinfo` is not versioned and needs `openid` and `profile`."""
    person = _bearer(call)
    if call.token is not None and not call.token.grant.scopes.issuperset({"openid", "profile"}):
        raise _no_permission("userinfo.GET.NO_VERSION")
    return person


def _no_permission(operation: str) -> RefusedError:
    message = f"Not enough permissions to access: {operation}"
    return RefusedError(
        403, {"status": 403, "serviceErrorCode": 100, "code": "ACCESS_DENIED", "message": message}
    )


def _bearer(call: Call) -> Person:
    token = find_bearer(call, "linkedin")
    if isinstance(token, str):
        number, code, message = _BAD_BEARER[token]
        raise RefusedError(401, {"status": 401, "serviceErrorCode": number, "code": code, "message": message})
    return token.grant.person


def _check_headers(call: Call) -> str:
    version = call.headers.get("linkedin-version")
    if version is None:
        text = "A version must be present. Please specify a version by adding the LinkedIn-Version header."
        raise invalid(400, "VERSION_MISSING", text)
    if version not in ACTIVE_VERSIONS:
        raise invalid(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active")
    protocol = call.headers.get("x-restli-protocol-version", "1.0.0")
    if protocol != "2.0.0":
        raise invalid(
            400, "", f"Rest.li protocol version {protocol} used by the client is not supported by the server"
        )
    return version


def json_body(call: Call, schema: Schema) -> dict[str, Any]:
    """The body as an object that conforms to `schema`; every finding in the words of Rest.li's validator."""
    if call.content_type != "application/json":
        raise invalid(415, "", f"Unsupported media type: {call.content_type or 'none'}")
    try:
        body = parse_json(call.body)
    except ValueError as error:
        raise invalid(400, "", "Cannot parse request entity") from error
    if not isinstance(body, dict):
        raise invalid(400, "", "Cannot parse request entity")
    if findings := check(body, schema):
        raise invalid(422, "", "\n".join(_worded(f) for f in findings))
    return body


def _worded(finding: Finding) -> str:
    path = "".join(f"/{part}" for part in finding.path)
    shown = json.dumps(finding.value)[:80]
    text = {
        "unknown": "unrecognized field found but not allowed",
        "required": "field is required but not found and has no default value",
        "type": f"{shown} cannot be coerced to {str(finding.limit).capitalize()}",
        "enum": f"{shown} is not an enum symbol",
        "pattern": f"{shown} does not match {finding.limit}",
        "minItems": f"array has fewer than {finding.limit} items",
        "maxItems": f"array has more than {finding.limit} items",
        "minimum": f"{shown} is less than {finding.limit}",
        "maximum": f"{shown} is more than {finding.limit}",
        "maxLength": f"length of {shown} is out of range, maximum {finding.limit}",
    }[finding.rule]
    return f"ERROR :: {path} :: {text}"
