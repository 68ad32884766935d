"""What the tests of YouTube's publisher share: a vault, a video, claims, and the sandbox's people."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.flow import GOOGLE, YOUTUBE_SCOPES
from tests.workers.providers.claims import MemoryFile, claim
from workers.gateway import ClaimedTarget, MediaItem
from workers.providers.youtube_session import PART_UNIT
from workers.vault import Keyring, Vault

CHANNEL = "UCmayaokafor0000000000000"
SCOPES = (f"{GOOGLE}youtube.readonly", f"{GOOGLE}youtube.upload")
COMMENTING = (*SCOPES, f"{GOOGLE}youtube.force-ssl")
ALL_SCOPES = f"{YOUTUBE_SCOPES} {GOOGLE}youtube.force-ssl"
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(251)) * 4300  # four parts of 256 KiB and some
SIZE = len(VIDEO)
LAST = SIZE // PART_UNIT * PART_UNIT


def vault(fill: int = 7) -> Vault:
    """A vault with a key of its own."""
    key = base64.b64encode(bytes(range(fill, fill + 32))).decode()
    return Vault(Keyring.from_json(json.dumps({"keys": {"k1": {"state": "primary", "key": key}}})))


def video(content: bytes = VIDEO) -> MemoryFile:
    """The file of a post, with its bytes."""
    return MemoryFile("video/mp4", content, width=1920, height=1080, duration_ms=12_000)


def item(size: int = SIZE, name: str = "person/first-light.mp4") -> MediaItem:
    """The same file as the database describes it."""
    return MediaItem(
        bucket_id="media", object_name=name, mime_type="video/mp4", size_bytes=size, kind="video"
    )


def youtube_claim(text: str = "How it was made", **changes: Any) -> ClaimedTarget:
    """A claimed target with one video; `options` as a person sets them."""
    fields: dict[str, Any] = {
        "platform_id": "youtube",
        "external_account_id": CHANNEL,
        "media": (item(),),
        "scopes": SCOPES,
        "options": {"title": "First light", "privacy": "public", "made_for_kids": False},
    }
    return claim(text, **fields | changes)


def now() -> datetime:
    return datetime.now(UTC)
