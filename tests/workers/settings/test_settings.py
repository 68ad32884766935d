"""Settings fail closed, name the variable, and never show a value (P3.5)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers.errors import ConfigurationError
from workers.settings import PLATFORMS, Settings, WorkerSettings, load

ROOT = Path(__file__).resolve().parents[3]
SECRET = "canary-9f3a"
NEEDED = {
    "SUPABASE_URL": "https://project.example",
    "SUPABASE_SECRET_KEY": SECRET,
    "NEXORA_TOKEN_KEYRING": SECRET,
    "NEXORA_PUBLIC_URL": "https://worker.example/",
}


def _variables() -> set[str]:
    return {str(field.validation_alias) for field in Settings.model_fields.values()}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _variables():
        monkeypatch.delenv(variable, raising=False)


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_nothing_is_demanded_of_a_command_that_needs_nothing() -> None:
    assert load(Settings).supabase_url is None


def test_a_worker_reads_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, NEEDED | {"NEXORA_REDIRECT_URLS": "https://app.example/done, http://localhost:3000/a"})
    settings = load(WorkerSettings)
    assert settings.supabase_secret_key.get_secret_value() == SECRET
    assert settings.public_url == "https://worker.example"
    assert settings.redirect_urls == ("https://app.example/done", "http://localhost:3000/a")
    assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", settings.worker_name)


@pytest.mark.parametrize("variable", sorted(NEEDED))
@pytest.mark.parametrize("is_empty", [True, False])
def test_a_worker_does_not_start_without(
    variable: str, is_empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, NEEDED)
    if is_empty:
        monkeypatch.setenv(variable, "")
    else:
        monkeypatch.delenv(variable)
    with pytest.raises(ConfigurationError) as caught:
        load(WorkerSettings)
    assert caught.value.variable == variable
    assert str(caught.value) == f"{variable}: is not set"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SUPABASE_URL", f"{SECRET}"),
        ("SUPABASE_URL", f"http://{SECRET}.example"),
        ("SUPABASE_URL", f"https://user:{SECRET}@project.example"),
        ("SUPABASE_URL", f"https://project.example/?key={SECRET}"),
        ("NEXORA_PUBLIC_URL", f"ftp://{SECRET}"),
        ("NEXORA_REDIRECT_URLS", f"https://ok.example,{SECRET}"),
        ("NEXORA_WEB_PORT", SECRET),
        ("NEXORA_WEB_PORT", "70000"),
        ("NEXORA_CONCURRENCY", "0"),
        ("NEXORA_POLL_SECONDS", SECRET),
        ("NEXORA_LOG_LEVEL", SECRET),
        ("NEXORA_WORKER_NAME", f"{SECRET} !"),
        ("NEXORA_LINKEDIN_VERSION", SECRET),
    ],
)
def test_a_wrong_value_names_the_variable_and_not_the_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, NEEDED | {variable: value})
    with pytest.raises(ConfigurationError) as caught:
        load(WorkerSettings)
    assert caught.value.variable == variable
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("half", ["ID", "SECRET"])
def test_half_a_registration_names_the_other_half(half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "SECRET" if half == "ID" else "ID"
    _set(monkeypatch, {f"NEXORA_X_CLIENT_{half}": SECRET})
    with pytest.raises(ConfigurationError) as caught:
        load(Settings)
    assert caught.value.variable == f"NEXORA_X_CLIENT_{other}"
    assert SECRET not in str(caught.value)


def test_the_sandbox_stands_in_only_for_platforms_without_a_registration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set(
        monkeypatch,
        {
            "NEXORA_X_CLIENT_ID": "real",
            "NEXORA_X_CLIENT_SECRET": SECRET,
            "NEXORA_SANDBOX_URL": "http://127.0.0.1:9000/",
            "NEXORA_SANDBOX_SECRET": SECRET,
        },
    )
    settings = load(Settings)
    real, stand_in = settings.app_for("x"), settings.app_for("linkedin")
    assert real is not None
    assert (real.client_id, real.is_sandbox) == ("real", False)
    assert stand_in is not None
    assert (stand_in.client_id, stand_in.sandbox_url) == (
        "sandbox-linkedin",
        "http://127.0.0.1:9000/linkedin",
    )
    assert settings.app_for("nowhere") is None


def test_without_registration_and_sandbox_a_platform_is_unavailable() -> None:
    assert [load(Settings).app_for(platform) for platform in PLATFORMS] == [None] * len(PLATFORMS)


def test_a_sandbox_without_its_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"NEXORA_SANDBOX_URL": "http://127.0.0.1:9000"})
    with pytest.raises(ConfigurationError, match="NEXORA_SANDBOX_SECRET"):
        load(Settings)


def test_nothing_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        name: SECRET for name in _variables() if "SECRET" in name or "KEYRING" in name or "DB_URL" in name
    }
    secrets |= {f"NEXORA_{platform.upper()}_CLIENT_ID": "id" for platform in PLATFORMS}
    _set(monkeypatch, NEEDED | secrets)
    settings = load(WorkerSettings)
    shown = [repr(settings), str(settings), repr(settings.app_for("x")), settings.model_dump_json()]
    assert not [text for text in shown if SECRET in text]


def test_the_example_file_describes_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named == _variables()
    assert re.findall(r"^[A-Z][A-Z0-9_]+=.+$", text, re.MULTILINE) == [], "no values, secret or not"


def test_every_variable_of_the_example_has_a_comment_above_it() -> None:
    described = False
    for line in (ROOT / ".env.example").read_text().splitlines():
        if line.startswith("#"):
            described = True
        elif "=" in line:
            assert described or "_CLIENT_" in line, line
        elif not line:
            described = False


def test_mail_goes_through_resend_the_sandbox_or_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, NEEDED)
    assert load(WorkerSettings).mail_account() is None
    _set(monkeypatch, {"NEXORA_SANDBOX_URL": "http://127.0.0.1:8750", "NEXORA_SANDBOX_SECRET": SECRET})
    account = load(WorkerSettings).mail_account()
    assert account is not None
    assert account.base_url == "http://127.0.0.1:8750/resend"
    _set(monkeypatch, {"NEXORA_RESEND_API_KEY": SECRET, "NEXORA_MAIL_FROM": "Nexora <hi@mail.example>"})
    account = load(WorkerSettings).mail_account()
    assert account is not None
    assert (account.base_url, account.sender) == ("https://api.resend.com", "Nexora <hi@mail.example>")
    assert SECRET not in repr(account)


def test_backups_go_to_a_place_that_is_named_whole_and_need_the_owners_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place, url, variable in (
        ("backups", "postgresql://127.0.0.1/x", "NEXORA_BACKUP_TO"),
        ("bucket", "", "SUPABASE_DB_URL"),
    ):
        _set(monkeypatch, NEEDED | {"NEXORA_BACKUP_TO": place, "SUPABASE_DB_URL": url})
        with pytest.raises(ConfigurationError) as caught:
            load(WorkerSettings)
        assert caught.value.variable == variable
    _set(monkeypatch, {"NEXORA_BACKUP_TO": "/srv/backups", "SUPABASE_DB_URL": "postgresql://127.0.0.1/x"})
    assert load(WorkerSettings).backup_to == "/srv/backups"


def test_stripe_is_the_real_one_the_sandbox_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, NEEDED)
    assert load(WorkerSettings).stripe_account() is None
    _set(monkeypatch, {"NEXORA_SANDBOX_URL": "http://127.0.0.1:8750", "NEXORA_SANDBOX_SECRET": SECRET})
    account = load(WorkerSettings).stripe_account()
    assert account is not None
    assert account.base_url == "http://127.0.0.1:8750/stripe"
    _set(monkeypatch, {"NEXORA_STRIPE_SECRET_KEY": SECRET})
    account = load(WorkerSettings).stripe_account()
    assert account is not None
    assert account.base_url == "https://api.stripe.com"
    assert SECRET not in repr(account)


@pytest.mark.parametrize(
    "sender", ["nobody", "a@b", "A <a@b.example>, B <b@b.example>", "A\n<a@b.example>", '"A" <a@b.example>']
)
def test_a_sender_is_one_address(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, NEEDED | {"NEXORA_MAIL_FROM": sender})
    with pytest.raises(ConfigurationError, match="NEXORA_MAIL_FROM"):
        load(WorkerSettings)


def test_a_key_without_a_sender_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, NEEDED | {"NEXORA_RESEND_API_KEY": SECRET})
    with pytest.raises(ConfigurationError, match="NEXORA_MAIL_FROM"):
        load(WorkerSettings)
