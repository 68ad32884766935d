"""What all X endpoints share: error bodies, bearer and scope checks, rate limits, query and body checks.

"Response Codes & Errors", "Rate limits", "v2 authentication mapping" and X's OpenAPI document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from workers.sandbox.limits import Limiter
from workers.sandbox.oauth import find_bearer
from workers.sandbox.schema import Finding, Schema, check
from workers.sandbox.state import Person
from workers.sandbox.wire import Call, RefusedError, parse_json

PROBLEMS = "https://api.x.com/2/problems"
_QUARTER = 900  # seconds of a rate limit window
_DAY = 86_400

# Calls per window and person; the second number is the application's limit in 24 hours ("Rate limits").
RATES: dict[str, tuple[int, int]] = {
    "POST /2/tweets": (100, 10_000),
    "DELETE /2/tweets/:id": (50, 0),
    "GET /2/tweets": (5_000, 0),
    "GET /2/tweets/:id": (900, 0),
    "GET /2/users/me": (75, 0),
    "GET /2/users/:id/tweets": (900, 0),
    "POST /2/media/upload": (500, 50_000),
    "GET /2/media/upload": (1_000, 100_000),
    "POST /2/media/upload/initialize": (1_875, 180_000),
    "POST /2/media/upload/:id/append": (1_875, 180_000),
    "POST /2/media/upload/:id/finalize": (1_875, 180_000),
    "POST /2/media/metadata": (500, 50_000),
}


def plain(status: int, title: str, detail: str) -> dict[str, Any]:
    """A problem without a type of its own."""
    return {"detail": detail, "type": "about:blank", "title": title, "status": status}


def forbidden(detail: str) -> RefusedError:
    return RefusedError(403, plain(403, "Forbidden", detail))


def invalid(message: str, parameters: Mapping[str, list[str]] | None = None) -> RefusedError:
    """400: one thing in the request is wrong."""
    return RefusedError(400, _invalid_body([{"parameters": dict(parameters or {}), "message": message}]))


def _invalid_body(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "errors": errors,
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{PROBLEMS}/invalid-request",
    }


def not_found(kind: str, parameter: str, value: str) -> dict[str, Any]:
    """The problem for a resource that does not exist; inside `errors` of a 200 for a partial answer."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{PROBLEMS}/resource-not-found",
    }


def rate_limited(resets_at: float) -> Response:
    """429 as X words it: the reset is in a header, there is no Retry-After."""
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(resets_at))}
    return JSONResponse(plain(429, "Too Many Requests", "Too Many Requests"), 429, headers)


def enter(call: Call, limiter: Limiter, rule: str, *scopes: str) -> Person:
    """Bearer, rate limit, scopes, in this order; the person of the token."""
    token = find_bearer(call, "x")
    if isinstance(token, str):
        raise RefusedError(401, plain(401, "Unauthorized", "Unauthorized"))
    _spend(call, limiter, rule, token.grant.person)
    if not token.grant.scopes.issuperset(scopes):
        raise RefusedError(403, plain(403, "Forbidden", "Forbidden"))
    return token.grant.person


def _spend(call: Call, limiter: Limiter, rule: str, person: Person) -> None:
    per_person, per_app = RATES[rule]
    window, is_within = limiter.spend(f"x {rule}", person.key, per_person, _QUARTER)
    call.response_headers["x-rate-limit-limit"] = str(window.limit)
    call.response_headers["x-rate-limit-remaining"] = str(window.remaining)
    call.response_headers["x-rate-limit-reset"] = str(int(window.resets_at))
    if per_app and is_within:
        app, is_within = limiter.spend(f"x app {rule}", "app", per_app, _DAY)
        call.response_headers["x-app-limit-24hour-limit"] = str(app.limit)
        call.response_headers["x-app-limit-24hour-remaining"] = str(app.remaining)
        call.response_headers["x-app-limit-24hour-reset"] = str(int(app.resets_at))
    if not is_within:
        raise RefusedError(429, plain(429, "Too Many Requests", "Too Many Requests"))


def json_body(call: Call, schema: Schema) -> dict[str, Any]:
    """The body as an object that conforms to `schema`."""
    if call.content_type != "application/json":
        raise invalid("Requests with bodies must have content-type of application/json.")
    try:
        body = parse_json(call.body)
    except ValueError as error:
        raise invalid("Invalid JSON in request body.") from error
    findings = check(body, schema)
    if findings:
        raise RefusedError(400, _invalid_body([_worded(f) for f in findings]))
    return dict(body)


_JSON_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


def _worded(finding: Finding) -> dict[str, Any]:
    """A finding in the words of X's JSON schema validator."""
    path = "$" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in finding.path)
    limit = finding.limit
    text = {
        "unknown": "is not defined in the schema and the schema does not allow additional properties",
        "required": "is missing but it is required",
        "type": f"{_JSON_TYPES.get(type(finding.value), 'null')} found, {limit} expected",
        "enum": f"does not have a value in the enumeration {limit}",
        "pattern": f"does not match the regex pattern {limit}",
        "minItems": f"there must be a minimum of {limit} items in the array",
        "maxItems": f"there must be a maximum of {limit} items in the array",
        "minLength": f"must be at least {limit} characters long",
        "maxLength": f"may only be {limit} characters long",
        "minimum": f"must have a minimum value of {limit}",
        "maximum": f"must have a maximum value of {limit}",
    }[finding.rule]
    shown = [] if finding.rule == "required" else [json.dumps(finding.value)]
    return {"parameters": {path: shown}, "message": f"{path}: {text}"}


def check_query(call: Call, allowed: Mapping[str, frozenset[str] | None]) -> None:
    """Refuses unknown parameters and list values outside their enumeration (None: any value)."""
    for name, value in call.query.multi_items():
        if name not in allowed:
            names = ",".join(sorted(allowed))
            raise invalid(f"The query parameter [{name}] is not one of [{names}]", {name: [value]})
        values = allowed[name]
        for item in value.split(",") if values is not None else ():
            if item not in (values or ()):
                listed = ",".join(sorted(values or ()))
                text = f"The `{name}` query parameter value [{item}] is not one of [{listed}]"
                raise invalid(text, {name: [value]})


def integer(call: Call, name: str, default: int, low: int, high: int) -> int:
    text = call.query.get(name, str(default))
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not low <= value <= high:
        message = f"The `{name}` query parameter value [{text}] is not between {low} and {high}"
        raise invalid(message, {name: [text]})
    return value
