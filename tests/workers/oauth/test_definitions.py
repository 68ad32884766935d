"""platforms.toml says what the platforms do, and the loader takes nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workers.providers.definitions import PlatformDefinition, definition_for, endpoint, load_definitions
from workers.settings import PLATFORMS

BASE: dict[str, Any] = load_definitions()["x"].model_dump(mode="python")


def changed(**values: Any) -> PlatformDefinition:
    return PlatformDefinition.model_validate({**BASE, **values})


def test_every_platform_is_defined_and_no_other() -> None:
    assert set(load_definitions()) == set(PLATFORMS)
    assert definition_for("myspace") is None


def test_the_definitions_can_be_read_again() -> None:
    assert changed() == load_definitions()["x"]


@pytest.mark.parametrize(
    "values",
    [
        {"surprise": 1},
        {"token_url": "http://api.x.com/token"},
        {"token_url": "https://user@api.x.com/token"},
        {"token_url": "/token"},
        {"token_url": "https://api.x.com/token#part"},
        {"pkce": "plain"},
        {"client_auth": "none"},
        {"ended_grant": ()},
        {"scope_separator": ";"},
        {"profile": {"url": "https://api.x.com/me"}},
        {"refresh": {"style": "long_lived"}},
        {"refresh": {"style": "refresh_token", "renew_url": "https://api.x.com/renew"}},
    ],
)
def test_a_mistake_in_the_file_is_noticed(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        changed(**values)


@pytest.mark.parametrize(
    ("platform_id", "error", "description", "ended"),
    [
        ("x", "invalid_grant", "", True),
        ("x", "invalid_request", "Value passed for the token was invalid.", True),
        ("x", "invalid_request", "Missing required parameter [code].", False),
        ("x", "unauthorized_client", "", False),
        ("youtube", "invalid_grant", "Token has been expired or revoked.", True),
        ("youtube", "invalid_client", "", False),
        ("linkedin", "invalid_grant", "", True),
        ("linkedin", "invalid_request", "The token used in the request has been revoked by the user", True),
        ("linkedin", "invalid_request", 'A required parameter "refresh_token" is missing', False),
        ("instagram", "190", "Error validating access token: session has expired", True),
        ("instagram", "4", "Application request limit reached", False),
        ("tiktok", "invalid_grant", "Refresh token is invalid or expired.", True),
        ("tiktok", "invalid_request", "", False),
    ],
)
def test_knows_the_answers_that_end_a_grant(
    platform_id: str, error: str, description: str, ended: bool
) -> None:
    assert load_definitions()[platform_id].is_ended_grant(error, description) is ended


def test_short_scopes_become_what_google_calls_them() -> None:
    youtube = load_definitions()["youtube"]
    assert youtube.wire_scope("youtube.upload") == "https://www.googleapis.com/auth/youtube.upload"
    full = "https://www.googleapis.com/auth/youtube.readonly"
    assert youtube.wire_scope(full) == full
    assert load_definitions()["x"].wire_scope("tweet.read") == "tweet.read"


def test_the_sandbox_keeps_path_and_query() -> None:
    url = "https://api.x.com/2/users/me?user.fields=a"
    assert endpoint(url, None) == url
    assert endpoint(url, "http://127.0.0.1:9/x") == "http://127.0.0.1:9/x/2/users/me?user.fields=a"
    assert endpoint("https://x.com/i/oauth2/authorize", "http://h/x/") == "http://h/x/i/oauth2/authorize"


def test_nothing_ever_asks_x_for_direct_messages() -> None:
    """P6.2: no text of the definition of X names them."""
    assert "dm." not in repr(load_definitions()["x"])
