"""Where tests reach the real HTTP API, and plain supabase-py as front ends without code of ours use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from supabase import Client, ClientOptions

PASSWORD = "correct horse battery staple 7"


@dataclass(frozen=True)
class Api:
    """Where a database is served, and the keys to it."""

    url: str
    publishable_key: str
    secret_key: str
    db_url: str
    admin_url: str

    @contextmanager
    def client(self, access_token: str | None = None) -> Iterator[Client]:
        """A visitor, or whoever holds `access_token`; signing up or in makes somebody of the visitor."""
        with httpx.Client(timeout=30) as http:
            options = ClientOptions(httpx_client=http, auto_refresh_token=False)
            client = Client(self.url, self.publishable_key, options)
            if access_token is not None:
                client.options.headers["Authorization"] = f"Bearer {access_token}"
            yield client
