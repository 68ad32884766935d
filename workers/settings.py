"""Every environment variable of the package, typed, in one place (P3.5: credentials come from here and
nowhere else).

`Settings` knows them all and demands none: database commands need other ones than a worker. `WorkerSettings`
is what the worker process needs, and fails closed. Both are read once, by `load`, and handed on; nothing
reads the environment later. Values are never part of an error message or of `repr()`: secrets are
`SecretStr`, and errors name the variable and the problem only.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from workers.errors import ConfigurationError

__all__ = ["PLATFORMS", "MailAccount", "PlatformApp", "Settings", "StripeAccount", "WorkerSettings", "load"]

PLATFORMS: Final = ("youtube", "x", "linkedin", "instagram", "tiktok")
"""Ids of the platforms, as in table `public.platforms`."""

RESEND_URL: Final = "https://api.resend.com"
STRIPE_URL: Final = "https://api.stripe.com"

_SENDER: Final = re.compile(
    r"(?:[^<>\r\n@,\"]{1,100} <[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+)"
)

_S = TypeVar("_S", bound="Settings")


@dataclass(frozen=True, slots=True)
class PlatformApp:
    """This deployment's registration with a platform.

    Attributes:
        platform_id: one of `PLATFORMS`.
        client_id: OAuth 2.0 client id.
        client_secret: OAuth 2.0 client secret.
        sandbox_url: base URL of the sandbox that stands for the platform (`…/x`), or None for the real one.
    """

    platform_id: str
    client_id: str
    client_secret: SecretStr = field(repr=False)
    sandbox_url: str | None = None

    @property
    def is_sandbox(self) -> bool:
        """Whether the sandbox answers instead of the real platform."""
        return self.sandbox_url is not None


@dataclass(frozen=True, slots=True)
class MailAccount:
    """How mails are sent.

    Attributes:
        api_key: key of the account at Resend.
        webhook_secret: what Resend signs its events with (`whsec_…`); None: events are refused.
        base_url: where the API is; the sandbox's on a test machine.
        sender: `Name <address>`.
        per_second: requests that the account allows.
    """

    api_key: SecretStr = field(repr=False)
    webhook_secret: SecretStr | None = field(repr=False)
    base_url: str
    sender: str
    per_second: float


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """The account at Stripe: its secret (or restricted) key, and where the API is; the sandbox's on a test machine."""

    secret_key: SecretStr = field(repr=False)
    base_url: str


def _host_name() -> str:
    """This machine's name, reduced to the characters that the database takes for a worker's name."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "-", socket.gethostname())[:100] or "worker"


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http(s) URL")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password")
    if parts.query or parts.fragment:
        raise ValueError("must not hold a query or fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must be https (http is for this machine only)")  # P3.1: TLS on every way
    return value.rstrip("/")


class Settings(BaseSettings):
    """All variables; each is described in `.env.example`."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    supabase_url: str | None = Field(default=None, validation_alias="SUPABASE_URL")
    supabase_secret_key: SecretStr | None = Field(default=None, validation_alias="SUPABASE_SECRET_KEY")
    supabase_publishable_key: str | None = Field(default=None, validation_alias="SUPABASE_PUBLISHABLE_KEY")
    supabase_db_url: SecretStr | None = Field(default=None, validation_alias="SUPABASE_DB_URL")

    token_keyring: SecretStr | None = Field(default=None, validation_alias="NEXORA_TOKEN_KEYRING")
    public_url: str | None = Field(default=None, validation_alias="NEXORA_PUBLIC_URL")
    redirect_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validation_alias="NEXORA_REDIRECT_URLS"
    )
    web_host: str = Field(default="127.0.0.1", validation_alias="NEXORA_WEB_HOST")
    web_port: int = Field(default=8080, ge=0, le=65535, validation_alias="NEXORA_WEB_PORT")

    sandbox_url: str | None = Field(default=None, validation_alias="NEXORA_SANDBOX_URL")
    sandbox_secret: SecretStr | None = Field(default=None, validation_alias="NEXORA_SANDBOX_SECRET")

    concurrency: int = Field(default=32, ge=1, le=2000, validation_alias="NEXORA_CONCURRENCY")
    poll_seconds: float = Field(default=1.0, ge=0.01, le=60, validation_alias="NEXORA_POLL_SECONDS")
    stop_seconds: float = Field(default=50.0, ge=0, le=600, validation_alias="NEXORA_STOP_SECONDS")
    media_memory_mb: int = Field(default=64, ge=16, le=65536, validation_alias="NEXORA_MEDIA_MEMORY_MB")
    platform_timeout_seconds: float = Field(
        default=30.0, ge=1, le=30, validation_alias="NEXORA_PLATFORM_TIMEOUT_SECONDS"
    )
    worker_name: str = Field(default_factory=_host_name, validation_alias="NEXORA_WORKER_NAME")
    linkedin_version: str = Field(
        default="202605", pattern=r"^20\d{4}$", validation_alias="NEXORA_LINKEDIN_VERSION"
    )
    log_level: str = Field(default="info", validation_alias="NEXORA_LOG_LEVEL")

    resend_api_key: SecretStr | None = Field(default=None, validation_alias="NEXORA_RESEND_API_KEY")
    resend_webhook_secret: SecretStr | None = Field(
        default=None, validation_alias="NEXORA_RESEND_WEBHOOK_SECRET"
    )
    mail_from: str | None = Field(default=None, validation_alias="NEXORA_MAIL_FROM")
    mail_per_second: float = Field(default=2.0, gt=0, le=1000, validation_alias="NEXORA_MAIL_PER_SECOND")
    app_url: str | None = Field(default=None, validation_alias="NEXORA_APP_URL")
    stripe_secret_key: SecretStr | None = Field(default=None, validation_alias="NEXORA_STRIPE_SECRET_KEY")

    backup_to: str | None = Field(default=None, validation_alias="NEXORA_BACKUP_TO")

    youtube_client_id: str | None = Field(default=None, validation_alias="NEXORA_YOUTUBE_CLIENT_ID")
    youtube_client_secret: SecretStr | None = Field(
        default=None, validation_alias="NEXORA_YOUTUBE_CLIENT_SECRET"
    )
    x_client_id: str | None = Field(default=None, validation_alias="NEXORA_X_CLIENT_ID")
    x_client_secret: SecretStr | None = Field(default=None, validation_alias="NEXORA_X_CLIENT_SECRET")
    linkedin_client_id: str | None = Field(default=None, validation_alias="NEXORA_LINKEDIN_CLIENT_ID")
    linkedin_client_secret: SecretStr | None = Field(
        default=None, validation_alias="NEXORA_LINKEDIN_CLIENT_SECRET"
    )
    instagram_client_id: str | None = Field(default=None, validation_alias="NEXORA_INSTAGRAM_CLIENT_ID")
    instagram_client_secret: SecretStr | None = Field(
        default=None, validation_alias="NEXORA_INSTAGRAM_CLIENT_SECRET"
    )
    tiktok_client_id: str | None = Field(default=None, validation_alias="NEXORA_TIKTOK_CLIENT_ID")
    tiktok_client_secret: SecretStr | None = Field(
        default=None, validation_alias="NEXORA_TIKTOK_CLIENT_SECRET"
    )

    @field_validator("redirect_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("supabase_url", "public_url", "sandbox_url", "app_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        return None if value is None else _checked_url(value)

    @field_validator("redirect_urls")
    @classmethod
    def _check_redirects(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # Compared exactly, character by character, by the database: keep them as they were written.
        for url in value:
            _checked_url(url)
        return value

    @field_validator("log_level")
    @classmethod
    def _check_level(cls, value: str) -> str:
        level = value.lower()
        if level not in ("debug", "info", "warning", "error"):
            raise ValueError("must be debug, info, warning or error")
        return level

    @field_validator("mail_from")
    @classmethod
    def _check_sender(cls, value: str | None) -> str | None:
        if value is not None and not _SENDER.fullmatch(value):
            raise ValueError("must be an address, or a name and <address>")
        return value

    @field_validator("backup_to")
    @classmethod
    def _check_place(cls, value: str | None) -> str | None:
        if value is not None and value != "bucket" and not Path(value).is_absolute():
            raise ValueError("must be the word bucket, or the absolute path of a folder")
        return value

    @field_validator("worker_name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", value):
            raise ValueError("must be 1 to 100 letters, digits, or any of _ . : -")
        return value

    @model_validator(mode="after")
    def _check_pairs(self) -> Settings:
        for platform in PLATFORMS:
            has_id = getattr(self, f"{platform}_client_id") is not None
            has_secret = getattr(self, f"{platform}_client_secret") is not None
            if has_id != has_secret:
                missing = "SECRET" if has_id else "ID"
                raise ValueError(
                    f"NEXORA_{platform.upper()}_CLIENT_{missing}|is missing while its other half is set"
                )
        if self.sandbox_url is not None and self.sandbox_secret is None:
            raise ValueError("NEXORA_SANDBOX_SECRET|is missing while NEXORA_SANDBOX_URL is set")
        if self.backup_to is not None and self.supabase_db_url is None:
            raise ValueError("SUPABASE_DB_URL|is missing while NEXORA_BACKUP_TO is set")
        if self.resend_api_key is not None and self.mail_from is None:
            raise ValueError("NEXORA_MAIL_FROM|is missing while NEXORA_RESEND_API_KEY is set")
        return self

    def mail_account(self) -> MailAccount | None:
        """How mails are sent: through Resend when its key is set; else through the sandbox when
        NEXORA_SANDBOX_URL is set; else None: mails wait in the outbox."""
        if self.resend_api_key is not None and self.mail_from is not None:
            return MailAccount(
                self.resend_api_key,
                self.resend_webhook_secret,
                RESEND_URL,
                self.mail_from,
                self.mail_per_second,
            )
        if self.sandbox_url is not None and self.sandbox_secret is not None:
            secret = self.sandbox_secret.get_secret_value()
            return MailAccount(
                SecretStr(f"re_{secret}"),
                SecretStr("whsec_" + base64.b64encode(secret.encode()).decode("ascii")),
                f"{self.sandbox_url}/resend",
                "Nexora OS <hello@nexora.example>",
                self.mail_per_second,
            )
        return None

    def stripe_account(self) -> StripeAccount | None:
        """The account at Stripe when its key is set; else the sandbox's when NEXORA_SANDBOX_URL is set; else None."""
        if self.stripe_secret_key is not None:
            return StripeAccount(self.stripe_secret_key, STRIPE_URL)
        if self.sandbox_url is not None and self.sandbox_secret is not None:
            key = SecretStr(f"sk_test_{self.sandbox_secret.get_secret_value()}")
            return StripeAccount(key, f"{self.sandbox_url}/stripe")
        return None

    def app_for(self, platform_id: str) -> PlatformApp | None:
        """This deployment's registration with a platform.

        Args:
            platform_id: one of `PLATFORMS`.

        Returns:
            The real registration when its client id is set; else the sandbox's when NEXORA_SANDBOX_URL is
            set;
            else None: the platform is unavailable here.
        """
        if platform_id not in PLATFORMS:
            return None
        client_id: str | None = getattr(self, f"{platform_id}_client_id")
        client_secret: SecretStr | None = getattr(self, f"{platform_id}_client_secret")
        if client_id is not None and client_secret is not None:
            return PlatformApp(platform_id, client_id, client_secret)
        if self.sandbox_url is not None and self.sandbox_secret is not None:
            return PlatformApp(
                platform_id,
                f"sandbox-{platform_id}",
                self.sandbox_secret,
                f"{self.sandbox_url}/{platform_id}",
            )
        return None


class WorkerSettings(Settings):
    """What `python -m workers worker` cannot start without."""

    supabase_url: str = Field(validation_alias="SUPABASE_URL")
    supabase_secret_key: SecretStr = Field(validation_alias="SUPABASE_SECRET_KEY")
    token_keyring: SecretStr = Field(validation_alias="NEXORA_TOKEN_KEYRING")
    public_url: str = Field(validation_alias="NEXORA_PUBLIC_URL")


def load(kind: type[_S], **overrides: Any) -> _S:
    """Read the environment.

    Args:
        kind: `Settings` or `WorkerSettings`.
        overrides: values by field name that win over the environment.

    Raises:
        ConfigurationError: names the first variable that is missing or wrong; never its value.
    """
    try:
        return kind(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _configuration_error(kind, first["loc"], first["msg"], first["type"]) from None


def _configuration_error(
    kind: type[Settings], location: tuple[int | str, ...], message: str, error_type: str
) -> ConfigurationError:
    text = message.removeprefix("Value error, ")
    if not location:
        variable, _, problem = text.partition("|")
        return ConfigurationError(variable, problem)
    name = str(location[0])
    info = kind.model_fields.get(name)
    variable = str(info.validation_alias) if info is not None else name
    return ConfigurationError(variable, "is not set" if error_type == "missing" else text)
