"""Creators as the service knows them: signed up, connected through the real OAuth flow, with posts."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from nexora_client import Connection, Feature, NexoraClient, Platform, Post
from tests.support.api import PASSWORD, Api
from tests.support.running import REDIRECT
from workers.cli.browser import follow_redirects
from workers.cli.local import redirect_uris
from workers.sandbox import Sandbox


@dataclass(frozen=True)
class Creator:
    """Somebody with an account here and one on every platform of the sandbox, where `key` names them."""

    client: NexoraClient
    key: str
    email: str
    connections: dict[Platform, Connection]

    def __enter__(self) -> Creator:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def draft(
        self,
        body: str,
        *platforms: Platform,
        image: bytes | None = None,
        mime_type: str = "image/png",
        options: dict[str, Any] | None = None,
    ) -> Post:
        """A post with a draft target on each of the platforms, and a file (`image`, of any type)."""
        post = self.client.content.posts.create(body)
        if image:
            media = self.client.content.media.upload(image, mime_type, alt_text="a grey square")
            self.client.content.posts.attach(post.id, media.id, position=1)
        for platform in platforms:
            self.client.publishing.targets.add(post.id, self.connections[platform].id, options=options)
        return post


def new_creator(
    api: Api,
    sandbox: Sandbox,
    web_url: str,
    *platforms: Platform,
    features: tuple[Feature, ...] = tuple(Feature)[:2],
    key: str | None = None,
) -> Creator:
    """Sign up and connect an account on each of `platforms` through the worker at `web_url`; use it in a `with`."""
    key = key or f"p{uuid.uuid4().hex[:10]}"
    email = f"{key}@people.example"
    client = NexoraClient(api.url, api.publishable_key)
    client.account.sign_up(email, PASSWORD, date(1990, 1, 1))
    sandbox.control.add_person(key, f"Person {key}", key)
    sandbox.control.add_redirect_uris(*redirect_uris(web_url))
    connections = {platform: connect(client, sandbox, key, platform, features) for platform in platforms}
    return Creator(client, key, email, connections)


def connect(
    client: NexoraClient, sandbox: Sandbox, key: str, platform: Platform, features: tuple[Feature, ...]
) -> Connection:
    """Connect the sandbox account of `key` as a browser does it."""
    sandbox.control.auto_approve(platform, key)
    landed = follow_redirects(client.connections.begin(platform, features, REDIRECT), REDIRECT)
    return client.connections.confirm(landed.params["connection_code"])


def png(width: int = 64, height: int = 64) -> bytes:
    """A plain grey PNG."""
    rows = b"".join(b"\0" + b"\x88" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
