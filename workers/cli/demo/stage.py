"""What all scenes of the demo share: the service, the person, the input."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg

from nexora_client import Connection, NexoraClient, Platform, Post, Target
from workers.cli.demo.steps import Steps
from workers.cli.local import LocalService

PASSWORD = "first light at the lake, thirty days"  # noqa: S105  of a person who exists for the length of the demo
PLATFORM_NAMES = {
    Platform.X: "X",
    Platform.LINKEDIN: "LinkedIn",
    Platform.INSTAGRAM: "Instagram",
    Platform.YOUTUBE: "YouTube",
    Platform.TIKTOK: "TikTok",
}
SETTLED_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class File:
    """A file that the demo publishes."""

    path: Path
    mime_type: str
    alt_text: str

    @cached_property
    def sha256(self) -> str:
        """Digest of its bytes, to recognise it at the platforms."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Input:
    """What is published."""

    text: str
    picture: File
    film: File


class Stage:
    """One telling of the story: Ada, what she has connected, and where to look behind the scenes."""

    def __init__(self, service: LocalService, steps: Steps, given: Input) -> None:
        self.service = service
        self.steps = steps
        self.given = given
        self.email = f"ada.{uuid.uuid4().hex[:8]}@creators.example"
        self.ada = self.client()
        self.connections: dict[Platform, Connection] = {}
        self._make_operator_impatient()

    def client(self) -> NexoraClient:
        """A front end's client, not signed in yet."""
        return NexoraClient(self.service.api_url, self.service.stack.secrets.publishable_key)

    def database(self) -> psycopg.Connection[tuple[object, ...]]:
        """The database as its owner sees it: only to check, never to act."""
        return psycopg.connect(self.service.stack.database_url, autocommit=True)

    def settled(self, post: Post) -> tuple[Target, ...]:
        """The targets of a post once none is on its way any more."""
        return self.ada.publishing.wait_until_settled(post.id, SETTLED_WITHIN_SECONDS, poll_seconds=0.1)

    def _make_operator_impatient(self) -> None:
        """Shorter pauses between two attempts than in production, so that a repair takes seconds."""
        with self.database() as connection:
            connection.execute("update private.settings set value = '2' where key = 'backoff_base_seconds'")
