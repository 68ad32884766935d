"""How each platform does OAuth 2.0, as data. The engine in `consent` and `oauth` knows no platform by name.

Sources: X "OAuth 2.0 Authorization Code Flow with PKCE"; LinkedIn "Authorization Code Flow (3-legged
OAuth)"; Google "Using OAuth 2.0 for Web Server Applications"; Meta "Business Login for Instagram"; TikTok
"Manage OAuth Access Tokens", "Login Kit for Web" and "OAuth error handling". Wording of errors that the
documents leave out is what clients report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from workers.sandbox.wire import words

HOUR = 3600
DAY = 86_400

Refresh = Literal["rotating", "fixed", "none"]
Shape = Literal["rfc6749", "tiktok", "instagram"]


@dataclass(frozen=True, slots=True)
class Wording:
    """Status, error code and description of one refusal at the token endpoint."""

    status: int
    error: str
    description: str


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform's OAuth. Durations in seconds; paths without the platform's prefix.

    Attributes:
        separators: characters that part the scopes in a request; `answer_separator` parts them in answers.
        narrowable: whether the real consent screen lets a person leave scopes out.
        redirects_errors: whether errors other than client and redirect go back to the client; X shows a page.
        pkce: `required` or `optional`; `pkce_hex` for a hexadecimal SHA-256 where RFC 7636 has base64url.
        offline_scope: scope without which no refresh token is issued; `offline_param`: the same, a parameter.
        revoke_needs_client: Google asks for the token alone.
        revoke_is_lenient: X answers 200 for unknown tokens too and ends an access token without its family.
        standard_scopes: what an application gets without review; `scopes` is all that exists.
    """

    id: str
    name: str
    authorize_path: str
    token_path: str
    scopes: frozenset[str]
    standard_scopes: frozenset[str]
    code_seconds: int
    access_seconds: int
    errors: dict[str, Wording]
    token_type: str = "Bearer"  # noqa: S105 -- RFC 6749's name of the field
    revoke_path: str = ""
    revoke_needs_client: bool = True
    revoke_is_lenient: bool = False
    revoke_answer: dict[str, bool] = field(default_factory=dict)
    client_field: str = "client_id"
    basic_auth: bool = False
    separators: str = " "
    answer_separator: str = " "
    refresh: Refresh = "none"
    refresh_seconds: int = 0
    pkce: Literal["required", "optional"] = "optional"
    pkce_hex: bool = False
    narrowable: bool = False
    redirects_errors: bool = True
    state_required: bool = False
    state_max: int = 0
    offline_scope: str = ""
    offline_param: tuple[str, str] = ("", "")
    denied: dict[str, str] = field(default_factory=lambda: {"error": "access_denied"})
    scope_error: str = "invalid_scope"
    scope_in_redirect: str = ""
    fragment: str = ""
    multipart: bool = False
    shape: Shape = "rfc6749"


_X_SCOPES = words(
    "tweet.read tweet.write tweet.moderate.write users.email users.read follows.read follows.write "
    "offline.access space.read mute.read mute.write like.read like.write list.read list.write block.read "
    "block.write bookmark.read bookmark.write dm.read dm.write media.write"
)

X = Platform(
    id="x",
    name="X",
    authorize_path="/i/oauth2/authorize",
    token_path="/2/oauth2/token",  # noqa: S106 -- a path
    token_type="bearer",  # noqa: S106 -- RFC 6749's name of the field
    revoke_path="/2/oauth2/revoke",
    revoke_is_lenient=True,
    revoke_answer={"revoked": True},
    scopes=_X_SCOPES,
    standard_scopes=_X_SCOPES,
    basic_auth=True,
    code_seconds=30,  # "The auth_code has a time limit of 30 seconds"
    access_seconds=2 * HOUR,
    refresh="rotating",
    refresh_seconds=180 * DAY,
    pkce="required",
    redirects_errors=False,
    state_required=True,
    state_max=500,
    offline_scope="offline.access",
    errors={
        "client": Wording(401, "unauthorized_client", "Missing valid authorization header"),
        "missing": Wording(400, "invalid_request", "Missing required parameter [{name}]."),
        "grant_type": Wording(400, "unsupported_grant_type", "Value passed for the grant type was invalid."),
        "code": Wording(400, "invalid_request", "Value passed for the authorization code was invalid."),
        "redirect": Wording(
            400,
            "invalid_request",
            "Value passed for the redirect uri did not match the uri of the authorization code.",
        ),
        "verifier": Wording(
            400, "invalid_request", "Value passed for the code verifier did not match the code challenge."
        ),
        "refresh": Wording(400, "invalid_request", "Value passed for the token was invalid."),
        "revoke": Wording(400, "invalid_request", "Value passed for the token was invalid."),
    },
)

_LINKEDIN_MISMATCH = Wording(
    400,
    "invalid_request",
    "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. "
    "Or authorization code expired. Or external member binding exists",
)

LINKEDIN = Platform(
    id="linkedin",
    name="LinkedIn",
    authorize_path="/oauth/v2/authorization",
    token_path="/oauth/v2/accessToken",  # noqa: S106 -- a path
    scopes=words("openid profile email w_member_social r_member_social r_member_postAnalytics"),
    standard_scopes=words("openid profile email w_member_social"),
    code_seconds=30 * 60,
    access_seconds=60 * DAY,
    answer_separator=",",
    denied={"error": "user_cancelled_authorize", "error_description": "The user cancelled the authorization"},
    scope_error="unauthorized_scope_error",
    errors={
        "client": Wording(401, "invalid_client", "Client authentication failed"),
        "missing": Wording(400, "invalid_request", 'A required parameter "{name}" is missing'),
        "grant_type": Wording(400, "unsupported_grant_type", "Grant type is not supported"),
        "code": _LINKEDIN_MISMATCH,
        "redirect": _LINKEDIN_MISMATCH,
        "verifier": _LINKEDIN_MISMATCH,
        "refresh": Wording(
            400, "invalid_request", "The application is not enabled for programmatic refresh tokens"
        ),
    },
)

_YOUTUBE = "https://www.googleapis.com/auth/"
_YOUTUBE_SCOPES = words(
    f"openid email profile {_YOUTUBE}youtube.upload {_YOUTUBE}youtube.readonly {_YOUTUBE}youtube "
    f"{_YOUTUBE}youtube.force-ssl {_YOUTUBE}yt-analytics.readonly"
)

YOUTUBE = Platform(
    id="youtube",
    name="YouTube",
    authorize_path="/o/oauth2/v2/auth",
    token_path="/token",  # noqa: S106 -- a path
    revoke_path="/revoke",
    revoke_needs_client=False,
    scopes=_YOUTUBE_SCOPES,
    standard_scopes=_YOUTUBE_SCOPES,
    code_seconds=10 * 60,
    access_seconds=HOUR - 1,
    refresh="fixed",
    refresh_seconds=180 * DAY,
    narrowable=True,
    offline_param=("access_type", "offline"),
    scope_in_redirect="scope",
    errors={
        "client": Wording(401, "invalid_client", "The provided client secret is invalid."),
        "missing": Wording(400, "invalid_request", "Missing required parameter: {name}"),
        "grant_type": Wording(400, "unsupported_grant_type", "Invalid grant_type: {name}"),
        "code": Wording(400, "invalid_grant", "Bad Request"),
        "redirect": Wording(400, "redirect_uri_mismatch", "Bad Request"),
        "verifier": Wording(400, "invalid_grant", "Invalid code verifier."),
        "refresh": Wording(400, "invalid_grant", "Token has been expired or revoked."),
        "revoke": Wording(400, "invalid_token", "Token expired or revoked"),
    },
)

_INSTAGRAM_SCOPES = words(
    "instagram_business_basic instagram_business_content_publish instagram_business_manage_messages "
    "instagram_business_manage_comments instagram_business_manage_insights"
)

INSTAGRAM = Platform(
    id="instagram",
    name="Instagram",
    authorize_path="/oauth/authorize",
    token_path="/oauth/access_token",  # noqa: S106 -- a path
    scopes=_INSTAGRAM_SCOPES,
    standard_scopes=_INSTAGRAM_SCOPES,
    code_seconds=HOUR,
    access_seconds=HOUR,
    separators=", ",
    answer_separator=",",
    narrowable=True,
    multipart=True,
    shape="instagram",
    fragment="#_",
    denied={
        "error": "access_denied",
        "error_reason": "user_denied",
        "error_description": "The user denied your request",
    },
    errors={
        "client": Wording(400, "OAuthException", "Error validating client secret."),
        "missing": Wording(400, "OAuthException", "Missing required field {name}"),
        "grant_type": Wording(400, "OAuthException", "Invalid grant_type: {name}"),
        "code": Wording(400, "OAuthException", "Matching code was not found or was already used"),
        "redirect": Wording(
            400,
            "OAuthException",
            "Error validating verification code. Please make sure your redirect_uri is identical to the one "
            "you used in the OAuth dialog request",
        ),
        "verifier": Wording(400, "OAuthException", "Matching code was not found or was already used"),
        "refresh": Wording(400, "OAuthException", "Invalid grant_type: refresh_token"),
    },
)

_TIKTOK_SCOPES = words(
    "user.info.basic user.info.profile user.info.stats video.list video.publish video.upload"
)

TIKTOK = Platform(
    id="tiktok",
    name="TikTok",
    authorize_path="/v2/auth/authorize/",
    token_path="/v2/oauth/token/",  # noqa: S106 -- a path
    revoke_path="/v2/oauth/revoke/",
    scopes=_TIKTOK_SCOPES,
    standard_scopes=_TIKTOK_SCOPES,
    client_field="client_key",
    code_seconds=10 * 60,
    access_seconds=2 * HOUR,
    refresh="rotating",
    refresh_seconds=180 * DAY,
    separators=",",
    answer_separator=",",
    pkce_hex=True,
    narrowable=True,
    state_required=True,
    scope_in_redirect="scopes",
    shape="tiktok",
    errors={
        "client": Wording(401, "invalid_client", "Client key or secret is incorrect."),
        "missing": Wording(
            400, "invalid_request", "The request parameters are malformed: {name} is missing."
        ),
        "grant_type": Wording(400, "unsupported_grant_type", "Grant type {name} is not supported."),
        "code": Wording(400, "invalid_grant", "Authorization code is expired."),
        "redirect": Wording(
            400, "invalid_request", "Redirect_uri is not matched with the uri when requesting code."
        ),
        "verifier": Wording(400, "invalid_request", "Code verifier or code challenge is invalid."),
        "refresh": Wording(400, "invalid_grant", "Refresh token is invalid or expired."),
        "revoke": Wording(400, "invalid_grant", "Access token is invalid or expired."),
    },
)

TABLE: dict[str, Platform] = {p.id: p for p in (X, LINKEDIN, YOUTUBE, INSTAGRAM, TIKTOK)}
