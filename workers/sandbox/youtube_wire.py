"""What all YouTube endpoints share: error bodies, bearer and scope checks, quota, query and body checks.

"Errors", "Quota Calculator" (2026-06-01: videos.insert has a bucket of its own), "Scopes" of each method and
the discovery document of the API (revision 20261104).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.responses import Response

from workers.sandbox.limits import Limiter
from workers.sandbox.oauth import find_bearer
from workers.sandbox.schema import Finding, Schema, check
from workers.sandbox.state import Person
from workers.sandbox.wire import Call, RefusedError, parse_json, words

_AUTH = "https://www.googleapis.com/auth/"
_QUOTA_TEXT = (
    "The request cannot be completed because you have exceeded your "
    '<a href="/youtube/v3/getting-started#quota">quota</a>.'
)

# The scopes that each open a method, as the discovery document lists them (youtubepartner is for companies).
_READING = words("youtube youtube.force-ssl youtube.readonly")
_UPLOADING = words("youtube youtube.force-ssl youtube.upload")
SCOPES: dict[str, frozenset[str]] = {
    "channels.list": _READING,
    "videos.list": _READING,
    "playlistItems.list": _READING,
    "videos.insert": _UPLOADING,
    "thumbnails.set": _UPLOADING,
    "commentThreads.insert": words("youtube.force-ssl"),
    "commentThreads.list": words("youtube.force-ssl"),
}
# Units of the common bucket of 10,000 a day; videos.insert has its own of 100 calls a day.
UNITS = {
    "channels.list": 1,
    "videos.list": 1,
    "playlistItems.list": 1,
    "thumbnails.set": 50,
    "commentThreads.insert": 50,
    "commentThreads.list": 1,
}
DAILY_UNITS = 10_000
DAILY_INSERTS = 100


def error(
    status: int, reason: str, message: str, domain: str = "global", *, location: str = ""
) -> RefusedError:
    """A refusal in Google's words: the list of errors with domain and reason."""
    detail = {"message": message, "domain": domain, "reason": reason}
    if location:
        detail |= {"location": location, "locationType": "parameter"}
    return RefusedError(status, {"error": {"code": status, "message": message, "errors": [detail]}})


def quota_exceeded() -> RefusedError:
    return error(403, "quotaExceeded", _QUOTA_TEXT, "youtube.quota")


def rate_limited(call: Call) -> Response:
    return quota_exceeded().response()


def enter(call: Call, limiter: Limiter, method: str) -> Person:
    """Bearer, quota, scopes, in this order: a request that is refused costs quota too."""
    person = authorize(call)
    spend(call, limiter, method)
    require_scope(call, SCOPES[method])
    return person


def authorize(call: Call) -> Person:
    """The person of the bearer token."""
    token = find_bearer(call, "youtube")
    if isinstance(token, str):
        text = (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
            "other valid authentication credential."
        )
        refusal = error(401, "authError", "Invalid Credentials", location="Authorization")
        refusal.body["error"] |= {"message": text, "status": "UNAUTHENTICATED"}  # type: ignore[index]
        raise refusal
    return token.grant.person


def require_scope(call: Call, one_of: frozenset[str]) -> None:
    """One of these scopes, named without Google's prefix, must have been granted."""
    granted = call.token.grant.scopes if call.token else frozenset()
    if not {s.removeprefix(_AUTH) for s in granted} & one_of:
        text = "Request had insufficient authentication scopes."
        refusal = error(403, "insufficientPermissions", "Insufficient Permission")
        refusal.body["error"] |= {  # type: ignore[index]
            "message": text,
            "status": "PERMISSION_DENIED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                    "domain": "googleapis.com",
                }
            ],
        }
        raise refusal


def spend(call: Call, limiter: Limiter, method: str) -> None:
    """Takes the method's price from the project's day."""
    if "youtube per minute" in call.state.limits:  # Google publishes no number for it
        _, is_within = limiter.spend("youtube per minute", "app", 0, 60)
        if not is_within:
            raise error(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits")
    midnight = next_midnight(call.state.now())
    if method == "videos.insert":
        _, is_within = limiter.spend_until("youtube videos.insert", DAILY_INSERTS, midnight)
    else:
        _, is_within = limiter.spend_until("youtube units", DAILY_UNITS, midnight, UNITS[method])
    if not is_within:
        raise quota_exceeded()


def _pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:  # a machine without a time zone database
        return timezone(timedelta(hours=-8))


def next_midnight(now: float) -> float:
    """The next midnight of Pacific Time, when quotas start anew. Seconds since 1970."""
    today = datetime.fromtimestamp(now, UTC).astimezone(_pacific())
    tomorrow = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return tomorrow.timestamp()


def check_query(call: Call, allowed: Mapping[str, frozenset[str] | None]) -> None:
    """Refuses unknown and repeated parameters, and list values outside their enumeration (None: any)."""
    seen: set[str] = set()
    for name, value in call.query.multi_items():
        if name not in allowed or name in seen:
            raise error(400, "unexpectedParameter", f"Unexpected parameter: {name}", location=name)
        seen.add(name)
        values = allowed[name]
        for item in value.split(",") if values is not None else ():
            if item not in (values or ()):
                reason = "unknownPart" if name == "part" else "invalidParameter"
                raise error(400, reason, f"'{item}'", "youtube.part", location=name)


def parts(call: Call) -> frozenset[str]:
    """The values of `part`, which every method demands."""
    if not call.query.get("part"):
        raise error(
            400, "missingRequiredParameter", "No part parameter was specified.", "youtube.parameter",
            location="part",
        )  # fmt: skip
    return frozenset(call.query["part"].split(","))


def json_body(call: Call, schema: Schema, resource: str) -> dict[str, Any]:
    """The body as an object that conforms to `schema`."""
    if call.content_type != "application/json":
        raise error(400, "badContent", f"Content type '{call.content_type}' is not supported.")
    try:
        body = parse_json(call.body)
    except ValueError as fault:
        raise error(400, "parseError", "Parse Error") from fault
    findings = check(body, schema)
    if findings:
        raise error(400, "badRequest", _worded(findings[0], resource))
    return dict(body)


def _worded(finding: Finding, resource: str) -> str:
    path = ".".join(str(part) for part in (resource, *finding.path[:-1]))
    name = finding.path[-1] if finding.path else resource
    if finding.rule == "unknown":
        return f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."
    return f"Invalid value at '{path}.{name}' ({finding.rule}: {finding.limit})"


def page(call: Call, count: int, most: int) -> tuple[int, int]:
    """First and last index of the page that `maxResults` and `pageToken` ask for."""
    size, token = call.query.get("maxResults", "5"), call.query.get("pageToken", "0")
    if not size.isascii() or not size.isdigit() or not 0 <= int(size) <= most:
        raise error(
            400, "invalidValue", f"Invalid value '{size}'. Values must be within the range: [0, {most}]"
        )
    if not token.isascii() or not token.isdigit() or int(token) > count:
        raise error(400, "invalidPageToken", "The request specifies an invalid page token.")
    return int(token), min(count, int(token) + int(size))
