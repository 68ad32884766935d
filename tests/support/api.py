"""Personas for API tests: real clients against the real HTTP API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from supabase import Client, create_client


@dataclass(frozen=True)
class Api:
    """Where a database is served, and the keys to it."""

    url: str
    publishable_key: str
    secret_key: str
    db_url: str
    admin_url: str

    def anonymous(self) -> Client:
        """A visitor who has not signed in."""
        return create_client(self.url, self.publishable_key)

    def worker(self) -> Client:
        """A holder of the secret key."""
        return create_client(self.url, self.secret_key)

    def sign_up(self, *, email: str | None = None, birth_date: str | None = "1990-01-01") -> Client:
        """A new person, signed in. The password is `PASSWORD`."""
        client = self.anonymous()
        client.auth.sign_up(
            {
                "email": email or f"{uuid.uuid4().hex[:12]}@people.example",
                "password": PASSWORD,
                "options": {"data": {} if birth_date is None else {"birth_date": birth_date}},
            }
        )
        return client


PASSWORD = "correct horse battery staple 7"
