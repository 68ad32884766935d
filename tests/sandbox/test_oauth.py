"""Authorization, tokens, rotation, revocation, and the attacks on them, on every platform."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, SCOPES, VERIFIER, Client, answer
from workers.sandbox import SandboxControl
from workers.sandbox.oauth_table import TABLE

ALL = sorted(TABLE)
WITH_REFRESH = ["tiktok", "x", "youtube"]
ROTATING = ["tiktok", "x"]


def has_code(response: httpx.Response) -> bool:
    return "code=" in response.headers.get("location", "")


def assert_refused(platform: str, response: httpx.Response, key: str) -> None:
    """Status, error and description exactly as the table words them."""
    wording = TABLE[platform].errors[key]
    body = response.json()
    assert response.status_code == wording.status
    if platform == "instagram":
        assert (body["error_type"], body["code"]) == (wording.error, wording.status)
        assert set(body) == {"error_type", "code", "error_message"}
        return
    assert body["error"] == wording.error
    assert "{" in wording.description or body["error_description"] == wording.description
    assert set(body) == {"error", "error_description"} | ({"log_id"} if platform == "tiktok" else set())


@pytest.mark.parametrize("platform", ALL)
def test_flow_gives_a_token_with_documented_lifetime(client: Client, platform: str) -> None:
    response = client.authorize(platform)
    assert answer(response)["state"] == "st4te"
    assert response.headers["location"].startswith(REDIRECT + "?")
    body = client.redeem(platform, answer(response)["code"]).json()
    asked = set(re.split("[ ,]", SCOPES[platform]))
    if platform == "instagram":
        assert set(body["permissions"]) == asked
        return
    assert body["expires_in"] == {"x": 7200, "linkedin": 5_184_000, "youtube": 3599, "tiktok": 7200}[platform]
    assert set(re.split("[ ,]", body["scope"])) == asked
    assert ("refresh_token" in body) == (platform in WITH_REFRESH)


@pytest.mark.parametrize("platform", ALL)
def test_token_answers_are_never_cached(client: Client, platform: str) -> None:
    assert client.redeem(platform, client.code(platform)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("platform", ALL)
@pytest.mark.parametrize(
    "redirect",
    [REDIRECT + "/", REDIRECT + "?a=b", REDIRECT.upper(), "http://127.0.0.1:9.evil/oauth/callback", "", None],
)
def test_unregistered_redirect_is_never_followed(client: Client, platform: str, redirect: str | None) -> None:
    response = client.authorize(platform, redirect_uri=redirect)
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize("platform", ALL)
def test_unknown_client_is_never_redirected(client: Client, platform: str) -> None:
    response = client.authorize(platform, **{TABLE[platform].client_field: "somebody"})
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize("platform", ALL)
@pytest.mark.parametrize(
    "change", [{"scope": "everything"}, {"scope": None}, {"response_type": "token"}, {"response_type": None}]
)
def test_bad_request_gives_no_code(client: Client, platform: str, change: dict[str, Any]) -> None:
    response = client.authorize(platform, **change)
    assert not has_code(response)
    if TABLE[platform].redirects_errors:
        assert answer(response)["state"] == "st4te"
        assert "error" in answer(response)
    else:
        assert response.status_code == 400


@pytest.mark.parametrize(
    "change", [{"code_challenge": None}, {"code_challenge_method": "S512"}, {"state": None}]
)
def test_x_requires_pkce_and_state(client: Client, change: dict[str, Any]) -> None:
    assert client.authorize("x", **change).status_code == 400


def test_x_refuses_state_over_500_characters(client: Client) -> None:
    assert client.authorize("x", state="s" * 500).status_code == 302
    assert client.authorize("x", state="s" * 501).status_code == 400


def test_repeated_parameter_is_refused(client: Client) -> None:
    query = urlencode([*client.authorize_query("x").items(), ("redirect_uri", "http://evil.example/")])
    assert client.http.get(f"/x/i/oauth2/authorize?{query}").status_code == 400


@pytest.mark.parametrize("platform", ALL)
def test_person_can_deny(client: Client, platform: str) -> None:
    found = answer(client.authorize(platform, _sandbox_deny="1"))
    assert found["error"] == ("user_cancelled_authorize" if platform == "linkedin" else "access_denied")
    assert found["state"] == "st4te"
    assert "code" not in found


@pytest.mark.parametrize("platform", ALL)
def test_code_works_once_and_its_reuse_ends_the_token(client: Client, platform: str) -> None:
    code = client.code(platform)
    first = client.redeem(platform, code)
    assert first.status_code == 200
    assert_refused(platform, client.redeem(platform, code), "code")
    if platform == "x":
        headers = {"authorization": f"Bearer {first.json()['access_token']}"}
        assert client.http.get("/x/2/users/me", headers=headers).status_code == 401


@pytest.mark.parametrize("platform", ALL)
def test_code_expires(client: Client, control: SandboxControl, platform: str) -> None:
    early, late = client.code(platform), client.code(platform)
    control.advance_clock(TABLE[platform].code_seconds - 2)
    assert client.redeem(platform, early).status_code == 200
    control.advance_clock(3)
    assert_refused(platform, client.redeem(platform, late), "code")


@pytest.mark.parametrize("platform", ALL)
def test_wrong_verifier_is_refused(client: Client, platform: str) -> None:
    assert_refused(
        platform, client.redeem(platform, client.code(platform), code_verifier="w" * 64), "verifier"
    )


@pytest.mark.parametrize("platform", ALL)
def test_odd_characters_are_refused_not_a_failure(client: Client, platform: str) -> None:
    code = client.code(platform, code_challenge="é" * 43)
    assert_refused(platform, client.redeem(platform, code, code_verifier="ü" * 43), "verifier")
    assert_refused(platform, client.redeem(platform, "ß"), "code")
    assert_refused(
        platform,
        client.token_request(platform, {"grant_type": "refresh_token", "refresh_token": "é"}),
        "refresh",
    )
    if not TABLE[platform].basic_auth:
        response = client.token_request(platform, {"grant_type": "refresh_token", "refresh_token": "r"}, "é")
        assert_refused(platform, response, "client")


@pytest.mark.parametrize("platform", ALL)
def test_missing_verifier_is_refused(client: Client, platform: str) -> None:
    assert_refused(platform, client.redeem(platform, client.code(platform), code_verifier=None), "missing")


def test_tiktok_takes_the_challenge_in_hexadecimal_only(client: Client) -> None:
    code = client.code("tiktok", code_challenge=client.authorize_query("x")["code_challenge"])
    assert_refused("tiktok", client.redeem("tiktok", code), "verifier")
    code = client.code("tiktok", code_challenge=hashlib.sha256(VERIFIER.encode()).hexdigest())
    assert client.redeem("tiktok", code).status_code == 200


def test_plain_challenge_is_bound_too(client: Client) -> None:
    change = {"code_challenge": VERIFIER, "code_challenge_method": "plain"}
    assert_refused("x", client.redeem("x", client.code("x", **change), code_verifier="w" * 64), "verifier")
    assert client.redeem("x", client.code("x", **change)).status_code == 200


@pytest.mark.parametrize("platform", ALL)
def test_code_is_bound_to_its_redirect(client: Client, control: SandboxControl, platform: str) -> None:
    control.add_redirect_uris("http://127.0.0.1:9/other", platform=platform)
    response = client.redeem(platform, client.code(platform), redirect_uri="http://127.0.0.1:9/other")
    assert_refused(platform, response, "redirect")


@pytest.mark.parametrize("platform", ALL)
def test_code_of_another_platform_is_refused(client: Client, platform: str) -> None:
    other = "x" if platform != "x" else "linkedin"
    assert_refused(platform, client.redeem(platform, client.code(other)), "code")


@pytest.mark.parametrize("platform", ALL)
@pytest.mark.parametrize("secret", ["wrong", "x"])
def test_wrong_secret_is_refused(client: Client, platform: str, secret: str) -> None:
    fields = {"grant_type": "authorization_code", "code": client.code(platform), "redirect_uri": REDIRECT}
    response = client.token_request(platform, {**fields, "code_verifier": VERIFIER}, secret)
    assert_refused(platform, response, "client")


def test_x_wants_basic_authentication(client: Client) -> None:
    data = {"grant_type": "authorization_code", "code": client.code("x"), "redirect_uri": REDIRECT}
    in_body = {
        **data,
        "client_id": "sandbox-x",
        "client_secret": client.sandbox.secret,
        "code_verifier": VERIFIER,
    }
    assert_refused("x", client.http.post("/x/2/oauth2/token", data=in_body), "client")


def test_linkedin_wants_credentials_in_the_body(client: Client) -> None:
    data = {"grant_type": "authorization_code", "code": client.code("linkedin"), "redirect_uri": REDIRECT}
    path = "/linkedin/oauth/v2/accessToken"
    response = client.http.post(path, data=data, auth=("sandbox-linkedin", client.sandbox.secret))
    assert_refused("linkedin", response, "missing")


@pytest.mark.parametrize("platform", ALL)
def test_token_endpoint_refuses_json_and_get(client: Client, platform: str) -> None:
    path = f"/{platform}{TABLE[platform].token_path}"
    assert client.http.post(path, json={"grant_type": "authorization_code"}).status_code == 400
    assert client.http.get(path).status_code in (400, 404, 405)


def test_repeated_form_field_is_refused(client: Client) -> None:
    body = f"grant_type=authorization_code&grant_type=refresh_token&code={client.code('x')}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = client.http.post("/x/2/oauth2/token", content=body, headers=headers, **client.credentials("x"))
    assert response.status_code == 400


@pytest.mark.parametrize("platform", ALL)
def test_unknown_grant_type_is_refused(client: Client, platform: str) -> None:
    assert_refused(platform, client.token_request(platform, {"grant_type": "password"}), "grant_type")


@pytest.mark.parametrize("platform", ROTATING)
def test_rotation_ends_the_old_refresh_token_and_its_reuse_the_family(client: Client, platform: str) -> None:
    first = client.tokens(platform)["refresh_token"]
    second = client.refresh(platform, first).json()["refresh_token"]
    assert second != first
    assert_refused(platform, client.refresh(platform, first), "refresh")
    assert_refused(platform, client.refresh(platform, second), "refresh")


def test_reuse_of_a_refresh_token_ends_access_tokens_too(client: Client) -> None:
    tokens = client.tokens("x")
    fresh = client.refresh("x", tokens["refresh_token"]).json()
    headers = {"authorization": f"Bearer {fresh['access_token']}"}
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 200
    client.refresh("x", tokens["refresh_token"])
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 401


def test_google_keeps_the_refresh_token(client: Client) -> None:
    tokens = client.tokens("youtube")
    for _ in range(2):
        fresh = client.refresh("youtube", tokens["refresh_token"]).json()
        assert "refresh_token" not in fresh
        assert fresh["expires_in"] == 3599


def test_no_offline_no_refresh_token(client: Client) -> None:
    assert "refresh_token" not in client.tokens("x", scope="tweet.read users.read")
    assert "refresh_token" not in client.tokens("youtube", access_type=None)


@pytest.mark.parametrize("platform", WITH_REFRESH)
def test_refresh_token_expires(client: Client, control: SandboxControl, platform: str) -> None:
    token = client.tokens(platform)["refresh_token"]
    control.advance_clock(TABLE[platform].refresh_seconds + 1)
    assert_refused(platform, client.refresh(platform, token), "refresh")


@pytest.mark.parametrize("platform", [*ROTATING, "youtube"])
def test_refresh_token_of_another_platform_is_refused(client: Client, platform: str) -> None:
    other = "x" if platform != "x" else "tiktok"
    assert_refused(platform, client.refresh(platform, client.tokens(other)["refresh_token"]), "refresh")


def test_linkedin_gives_and_takes_no_refresh_token(client: Client) -> None:
    assert_refused("linkedin", client.refresh("linkedin", "anything"), "refresh")


@pytest.mark.parametrize("platform", WITH_REFRESH)
def test_revoking_the_refresh_token_ends_everything(client: Client, platform: str) -> None:
    tokens = client.tokens(platform)
    response = revoke(client, platform, tokens["refresh_token"])
    assert response.status_code == 200
    assert response.json() == ({"revoked": True} if platform == "x" else {})
    assert_refused(platform, client.refresh(platform, tokens["refresh_token"]), "refresh")


def revoke(client: Client, platform: str, token: str, secret: str | None = None) -> httpx.Response:
    arguments = client.credentials(platform, secret)
    arguments["data"] = {**arguments.get("data", {}), "token": token}
    return client.http.post(f"/{platform}{TABLE[platform].revoke_path}", **arguments)


def test_x_access_token_is_revoked_alone(client: Client) -> None:
    tokens = client.tokens("x")
    assert revoke(client, "x", tokens["access_token"]).status_code == 200
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 401
    assert client.refresh("x", tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("platform", ["x", "tiktok"])
def test_revocation_wants_the_client(client: Client, platform: str) -> None:
    token = client.tokens(platform)["refresh_token"]
    assert_refused(platform, revoke(client, platform, token, "wrong"), "client")
    assert client.refresh(platform, token).status_code == 200


@pytest.mark.parametrize("platform", ["youtube", "tiktok"])
def test_revoking_an_unknown_token_is_refused(client: Client, platform: str) -> None:
    assert_refused(platform, revoke(client, platform, "unknown"), "revoke")


@pytest.mark.parametrize("path", ["/linkedin/oauth/v2/revoke", "/instagram/oauth/revoke"])
def test_no_revocation_endpoint_where_there_is_none(client: Client, path: str) -> None:
    assert client.http.post(path, data={"token": "t"}).status_code in (400, 404)


def test_consent_page_lists_people_and_decides_once(client: Client) -> None:
    page = client.authorize("youtube", _sandbox_person=None)
    assert page.status_code == 200
    assert "Maya Okafor" in page.text
    assert page.text.count('type="checkbox"') == 3
    request = re.findall('name="request" value="([^"]+)"', page.text)[0]
    form = {"request": request, "person": "jonas", "decision": "allow", "scope": "openid"}
    decided = client.http.post("/_sandbox/consent", data=form)
    body = client.redeem("youtube", answer(decided)["code"]).json()
    assert body["scope"] == "openid"
    assert client.http.post("/_sandbox/consent", data=form).status_code == 400


def test_linkedin_consent_is_all_or_nothing(client: Client) -> None:
    page = client.authorize("linkedin", _sandbox_person=None)
    assert 'type="checkbox"' not in page.text
    request = re.findall('name="request" value="([^"]+)"', page.text)[0]
    form = {"request": request, "person": "maya", "decision": "allow", "scope": "openid"}
    body = client.redeem("linkedin", answer(client.http.post("/_sandbox/consent", data=form))["code"]).json()
    assert body["scope"] == "openid,profile,w_member_social"


def test_consent_page_can_be_denied_and_gets_too_old(client: Client, control: SandboxControl) -> None:
    page = client.authorize("x", _sandbox_person=None)
    request = re.findall('name="request" value="([^"]+)"', page.text)[0]
    denied = client.http.post("/_sandbox/consent", data={"request": request, "decision": "deny"})
    assert answer(denied)["error"] == "access_denied"
    page = client.authorize("x", _sandbox_person=None)
    request = re.findall('name="request" value="([^"]+)"', page.text)[0]
    control.advance_clock(601)
    late = client.http.post(
        "/_sandbox/consent", data={"request": request, "person": "maya", "decision": "allow"}
    )
    assert late.status_code == 400


def test_consent_page_escapes_and_forbids_framing(client: Client, control: SandboxControl) -> None:
    control.add_person("mallory", "<script>alert(1)</script>", "mallory")
    page = client.authorize("x", _sandbox_person=None)
    assert "<script" not in page.text
    assert page.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_auto_approval_and_narrowed_scopes(client: Client, control: SandboxControl) -> None:
    control.auto_approve("x", "jonas", scopes=["tweet.read", "users.read"])
    body = client.redeem("x", client.code("x", _sandbox_person=None)).json()
    assert body["scope"] == "tweet.read users.read"
    headers = {"authorization": f"Bearer {body['access_token']}"}
    assert client.http.get("/x/2/users/me", headers=headers).json()["data"]["username"] == "jonaslindqvist"
    control.auto_approve("x", None)
    assert client.authorize("x", _sandbox_person=None).status_code == 200


def test_scopes_under_review_must_be_approved(client: Client, control: SandboxControl) -> None:
    asked = "openid r_member_social"
    assert answer(client.authorize("linkedin", scope=asked))["error"] == "unauthorized_scope_error"
    control.approve_scopes("linkedin", ["openid", "r_member_social"])
    assert has_code(client.authorize("linkedin", scope=asked))


def test_redirect_keeps_a_query_of_its_own(client: Client, control: SandboxControl) -> None:
    control.add_redirect_uris("http://127.0.0.1:9/cb?app=1")
    response = client.authorize("x", redirect_uri="http://127.0.0.1:9/cb?app=1")
    assert urlsplit(response.headers["location"]).query.startswith("app=1&code=")


def test_instagram_appends_its_fragment(client: Client) -> None:
    assert client.authorize("instagram").headers["location"].endswith("#_")
