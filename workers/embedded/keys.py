"""The secrets of one embedded stack: made once, kept in one file that only the owner can read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class StackSecrets:
    """API keys and passwords of one stack. They open nothing but that stack, and never appear in a `repr`.

    `publishable_key` is what a browser sends (role `anon`), `secret_key` what a worker sends (role
    `service_role`),
    `jwt_secret` signs the access tokens of people (HS256).
    """

    publishable_key: str = field(default_factory=lambda: f"sb_publishable_{_random()}", repr=False)
    secret_key: str = field(default_factory=lambda: f"sb_secret_{_random()}", repr=False)
    jwt_secret: str = field(default_factory=_random, repr=False)
    admin_password: str = field(default_factory=_random, repr=False)
    postgres_password: str = field(default_factory=_random, repr=False)
    api_password: str = field(default_factory=_random, repr=False)

    @classmethod
    def load_or_create(cls, path: Path) -> StackSecrets:
        """Reads the file, or writes a new one with mode 0600."""
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            created = cls()
        write_private(path, json.dumps(asdict(created)))
        return created


def write_private(path: Path, text: str) -> None:
    """Writes a file that never has another mode than 0600, and replaces an older one in one step."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(path)
