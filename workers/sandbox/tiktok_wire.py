"""What all TikTok endpoints share: the envelope, tokens and scopes, JSON bodies and the limits per minute.

"Error Handling" of API v2 and the notes on limits in the references of the Content Posting API.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from workers.sandbox.limits import Limiter
from workers.sandbox.oauth import find_bearer
from workers.sandbox.schema import Schema, check
from workers.sandbox.state import Person
from workers.sandbox.wire import Call, RefusedError, parse_json

MINUTE: Final = 60
DAY: Final = 86_400

MESSAGES: Final = {
    "access_token_invalid": "The access token is invalid or not found in the request.",
    "scope_not_authorized": "The user did not authorize the scope required for completing this request.",
    "rate_limit_exceeded": "The API rate limit was exceeded. Please try again later.",
    "spam_risk_too_many_posts": "The daily post cap from the API is reached for the current user.",
    "spam_risk_user_banned_from_posting": "The user is banned from making new posts.",
    "spam_risk_too_many_pending_share": "The daily upload cap from the API is reached for the current user.",
    "reached_active_user_cap": "The daily quota for active publishing users from your client is reached.",
    "unaudited_client_can_only_post_to_private_accounts": "Unaudited clients can only post to private accounts.",
    "url_ownership_unverified": "Please review our URL ownership verification rules.",
    "privacy_level_option_mismatch": "The privacy level is not among the options of the creator.",
    "invalid_publish_id": "The publish_id does not exist.",
    "token_not_authorized_for_specified_publish_id": "The token is not authorized for this publish_id.",
    "publish_not_cancellable": "The task is already in a final state.",
}


def envelope(data: dict[str, Any], code: str = "ok", message: str = "", status: int = 200) -> Response:
    """An answer in TikTok's form."""
    error = {"code": code, "message": message, "log_id": secrets.token_hex(16)}
    return JSONResponse({"data": data, "error": error}, status)


def error(status: int, code: str, message: str = "") -> RefusedError:
    """A refusal in TikTok's form."""
    told = {"code": code, "message": message or MESSAGES.get(code, code), "log_id": secrets.token_hex(16)}
    return RefusedError(status, {"data": {}, "error": told})


def invalid(message: str) -> RefusedError:
    return error(400, "invalid_params", message)


def enter(call: Call, limiter: Limiter, rule: str, per_minute: int, *one_of: str) -> Person:
    """Token, one of the scopes, calls per minute of the token; the person."""
    token = find_bearer(call, "tiktok")
    if isinstance(token, str):
        raise error(401, "access_token_invalid")
    if not token.grant.scopes & set(one_of):
        raise error(401, "scope_not_authorized")
    if not limiter.spend(f"tiktok {rule}", token.digest, per_minute, MINUTE)[1]:
        raise error(429, "rate_limit_exceeded")
    return token.grant.person


def json_body(call: Call, schema: Schema) -> dict[str, Any]:
    """The body, checked against what the documents list."""
    if call.content_type != "application/json":
        raise invalid("Content-Type must be application/json")
    try:
        body = parse_json(call.body)
    except ValueError as problem:
        raise invalid("The request body is not valid JSON") from problem
    for finding in check(body, schema):
        name = ".".join(map(str, finding.path)) or "body"
        raise invalid(f"The request parameter {name} is invalid: {finding.rule}")
    return dict(body)
