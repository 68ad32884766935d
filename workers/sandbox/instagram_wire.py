"""What all Instagram endpoints share: tokens, permissions, parameters, rate limits and the error body.

"Error Codes" of the Instagram Platform, "Rate Limits" and "Handling Errors" of the Graph API.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from workers.sandbox.limits import Limiter
from workers.sandbox.oauth import judge_token
from workers.sandbox.state import Person, Token, new_secret
from workers.sandbox.wire import Call, RefusedError, parse_json

BASIC: Final = "instagram_business_basic"
PUBLISH: Final = "instagram_business_content_publish"
COMMENTS: Final = "instagram_business_manage_comments"
INSIGHTS: Final = "instagram_business_manage_insights"

# Versions that Meta serves in November 2026 (Graph API changelog).
VERSIONS: Final = frozenset({"v21.0", "v22.0", "v23.0", "v24.0", "v25.0", "v26.0"})
# "Calls within 24 hours = 4800 * Number of Impressions", of which there are at least ten.
CALLS_PER_DAY: Final = 48_000
_DAY: Final = 86_400

# Code and title by subcode ("Error Codes"); each answer is a 400.
_MEDIA_ERRORS: Final[dict[int, tuple[int, str]]] = {
    2207001: (-1, "Instagram server error"),
    2207003: (-2, "Media download takes too long"),
    2207004: (36000, "Image size too large"),
    2207005: (36001, "Image format not supported"),
    2207006: (24, "Media not found"),
    2207008: (24, "Media builder not found"),
    2207009: (36003, "Aspect ratio not supported"),
    2207010: (36004, "Caption too long"),
    2207020: (-2, "Media expired"),
    2207023: (100, "Unknown media type"),
    2207026: (352, "Unsupported video format"),
    2207027: (9007, "Media not ready"),
    2207028: (100, "Carousel validation failed"),
    2207032: (-1, "Media creation failed"),
    2207040: (100, "Too many tags"),
    2207042: (9, "Publishing limit reached"),
    2207050: (25, "Account restricted"),
    2207051: (4, "Action blocked"),
    2207052: (9004, "Media download has failed. The media URI doesn't meet our requirements."),
    2207057: (1, "Thumbnail offset out of range"),
}


def graph_error(
    status: int, code: int, message: str, subcode: int = 0, kind: str = "OAuthException", **more: Any
) -> RefusedError:
    """A refusal in Meta's error body."""
    error: dict[str, Any] = {"message": message, "type": kind, "code": code}
    error |= {"error_subcode": subcode} if subcode else {}
    return RefusedError(status, {"error": {**error, **more, "fbtrace_id": new_secret()[:22]}})


def media_error(subcode: int, user_message: str) -> RefusedError:
    """A refusal of "Error Codes", with what it says to the person."""
    code, title = _MEDIA_ERRORS[subcode]
    told: dict[str, Any] = {"is_transient": False, "error_user_title": title, "error_user_msg": user_message}
    return graph_error(400, code, title, subcode, **told)


def invalid(message: str) -> RefusedError:
    return graph_error(400, 100, f"(#100) {message}")


def no_such_object(node: str) -> RefusedError:
    text = (
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation"
    )
    return graph_error(400, 100, text, 33, "GraphMethodException")


def rate_limited() -> RefusedError:
    return graph_error(400, 4, "(#4) Application request limit reached")


def find_token(call: Call, given: str | None = None) -> Token:
    """The live token of the request: in the query or the body, or as a bearer."""
    value = given or call.query.get("access_token")
    value = value or call.headers.get("authorization", "").partition(" ")[2]
    token = judge_token(call, "instagram", value)
    if not isinstance(token, str):
        return token
    text, subcode = {
        "expired": ("Error validating access token: Session has expired.", 463),
        "revoked": ("Error validating access token: The user has not authorized application.", 458),
    }.get(token, ("Invalid OAuth access token - Cannot parse access token", 0))
    raise graph_error(400, 190, text, subcode)


def enter(call: Call, limiter: Limiter, *scopes: str, given: str | None = None) -> Person:
    """Version, token, rate limit and permissions; the person of the token."""
    version = call.params.get("version")
    if version is not None and version not in VERSIONS:
        raise graph_error(400, 2635, f"(#2635) You are calling a deprecated version of the API: {version}")
    token = find_token(call, given)
    person = token.grant.person
    window, is_within = limiter.spend("instagram calls", person.key, CALLS_PER_DAY, _DAY)
    share = 100 * window.used // max(1, window.limit)
    usage = {"type": "instagram", "call_count": share, "total_cputime": 0, "total_time": 0}
    wait = 0 if is_within else int((window.resets_at - call.state.now()) / 60) + 1
    business = {person.account_id("instagram"): [{**usage, "estimated_time_to_regain_access": wait}]}
    call.response_headers["x-business-use-case-usage"] = json.dumps(business)
    if not is_within:
        text = "(#80002) There have been too many calls to this Instagram account. Wait a bit and try again."
        refusal = graph_error(400, 80002, text)
        refusal.headers.update(call.response_headers)
        raise refusal
    if missing := [scope for scope in (BASIC, *scopes) if scope not in token.grant.scopes]:
        raise graph_error(
            403, 10, f"(#10) Application does not have permission for this action: {missing[0]}"
        )
    return person


def own_account(call: Call, person: Person) -> None:
    """The path names the account of the token."""
    if call.params["id"] not in ("me", person.account_id("instagram")):
        raise no_such_object(call.params["id"])


async def parameters(call: Call, allowed: frozenset[str]) -> dict[str, Any]:
    """Parameters of a write: query, then form or JSON body. What is not documented is refused."""
    found: dict[str, Any] = dict(call.query)
    if call.content_type == "application/json" and call.body:
        found |= _json_body(call)
    elif call.body:
        try:
            found |= {name: str(value) for name, value in (await call.form()).items()}
        except ValueError as error:
            raise invalid("The body cannot be read") from error
    if unknown := sorted(set(found) - allowed - {"access_token"}):
        raise invalid(f"Unexpected parameter: {unknown[0]}")
    return found


def _json_body(call: Call) -> dict[str, Any]:
    try:
        body = parse_json(call.body)
    except ValueError as error:
        raise invalid("The body is not JSON") from error
    if not isinstance(body, dict):
        raise invalid("The body is not an object")
    return body


def fields(call: Call, known: frozenset[str], default: tuple[str, ...] = ("id",)) -> tuple[str, ...]:
    """The fields that a read asks for, each of them known."""
    wanted = [name for name in call.query.get("fields", "").split(",") if name]
    for name in wanted:
        if name not in known:
            raise graph_error(400, 100, f"(#100) Tried accessing nonexisting field ({name})")
    return tuple(dict.fromkeys(("id", *wanted))) if wanted else default


def flag(params: dict[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if value in (True, "true", "TRUE", "1"):
        return True
    if value in (False, "false", "FALSE", "0"):
        return False
    raise invalid(f"Param {name} must be a boolean")


def integer(params: dict[str, Any], name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,12}", str(value)):
        raise invalid(f"Param {name} must be an integer")
    return int(value)


def texts(params: dict[str, Any], name: str) -> list[str]:
    """A list parameter: a JSON array, or values with commas between them."""
    value = params.get(name, [])
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            _refuse_list(name)
    elif isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        _refuse_list(name)
    return list(value)


def _refuse_list(name: str) -> NoReturn:
    raise invalid(f"Param {name} must be an array")
