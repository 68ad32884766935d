"""What the sandbox remembers: people, applications, grants, media and posts, all in memory.

One `State` belongs to one server. Only the bytes of large files are on disk (`spool`). Every
collection has a cap, so that a load test cannot grow the process without bound; `totals` keeps counting past
the caps.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.sandbox.spool import Spool

PLATFORMS = ("x", "linkedin", "youtube", "instagram", "tiktok")

MAX_POSTS = 100_000
MAIL_SECONDS = 2_592_000  # "Data retention": Resend keeps a message for 30 days
MAX_GRANTS = 20_000
MAX_MEDIA_BYTES = 4_294_967_296  # bytes on disk of uploaded files, oldest forgotten first
X_EPOCH_MS = 1_288_834_974_657  # "X IDs": a post id is a snowflake over this epoch


class Clock:
    """The server's time: the machine's clock plus an offset that tests may move. Seconds since 1970."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset


@dataclass(slots=True)
class Person:
    """Somebody with one account on every platform. `key` names the person in the control API."""

    key: str
    name: str
    handle: str
    headline: str = ""
    x_premium: bool = False

    def account_id(self, platform: str) -> str:
        """The id under which a platform knows this person, the same in every run."""
        digest = hashlib.sha256(f"{platform}:{self.key}".encode()).digest()
        text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        number = int.from_bytes(digest[:8], "big")
        return {
            "x": str(1_000_000_000_000_000_000 + number % 800_000_000_000_000_000),
            "linkedin": text[:10],
            "youtube": "UC" + text[:22],
            "instagram": "17841" + str(number % 10**12).zfill(12),
            "tiktok": "-000" + text[:32],
        }[platform]


@dataclass(slots=True)
class Grant:
    """One consent of one person to one client: the family that every token of it belongs to."""

    platform: str
    person: Person
    client_id: str
    scopes: frozenset[str]
    created_at: float
    refresh_expires_at: float | None = None
    ended: str | None = None  # why its tokens no longer work: revoked | replayed


@dataclass(slots=True)
class Token:
    """An access or refresh token, known by its hash. `used` marks a rotated refresh token, kept to notice its
    reuse.
    """

    digest: str
    grant: Grant
    issued_at: float
    expires_at: float | None
    used: bool = False
    kind: str = "access"  # access | refresh | short (Instagram's one-hour token)


@dataclass(slots=True)
class Code:
    """An authorization code, bound to client, redirect and challenge. `grant` is set once it was spent."""

    value: str
    platform: str
    client_id: str
    redirect_uri: str
    challenge: str | None
    method: str | None
    person: Person
    scopes: frozenset[str]
    expires_at: float
    offline: bool
    grant: Grant | None = None


@dataclass(slots=True)
class Media:
    """An uploaded file, from the first call that announces it to its use in a post."""

    id: str
    platform: str
    person: Person
    created_at: float
    expires_at: float
    mime_type: str = ""
    category: str = ""
    total_bytes: int = 0
    segments: dict[int, Spool] = field(default_factory=dict)
    file: Spool | None = None
    sha256: str = ""
    status: str = "uploading"  # uploading | pending | in_progress | processing | ready | failed
    ready_at: float = 0.0
    alt_text: str = ""
    owners: frozenset[str] = frozenset()
    upload_token: str = ""
    details: dict[str, Any] = field(default_factory=dict)  # what the announcing call said

    @property
    def data(self) -> bytes | None:
        """All bytes at once, for files that are small; None when they are not there (any more)."""
        return None if self.file is None else self.file.read()


@dataclass(slots=True)
class YouTubeSettings:
    """What tests and the demo may choose about YouTube.

    Attributes:
        forced_private: every upload becomes private, whatever it asked for: unaudited projects until
            2026-11-02, creator accounts with restrictions since.
        stored_bytes: once, of the next part of an upload, only this many bytes are kept.
    """

    forced_private: bool = False
    stored_bytes: int | None = None


@dataclass(slots=True)
class Draft:
    """What a platform was given and has not published yet: a container of Instagram, a share of TikTok.

    Attributes:
        kind: what it will be, in the platform's word.
        status: working | ready | failed | published | delivered (to the person's inbox).
        ready_at: seconds since 1970 from which its work counts as done.
        failure: why it failed, in the platform's word.
        upload: bytes received so far, where the client sends them in pieces.
        post_id: of the post that it became.
    """

    id: str
    platform: str
    person: Person
    created_at: float
    expires_at: float
    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    media: tuple[Media, ...] = ()
    status: str = "working"
    ready_at: float = 0.0
    failure: str = ""
    upload: Spool | None = None
    upload_token: str = ""
    post_id: str = ""


@dataclass(slots=True)
class Comment:
    """A comment under a post."""

    id: str
    person: Person
    created_at: float
    text: str


@dataclass(slots=True)
class Post:
    """A published post. `text` is what a reader sees, `sent_text` what the client sent."""

    id: str
    platform: str
    person: Person
    created_at: float
    text: str
    sent_text: str
    url: str
    media: tuple[Media, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, int] = field(default_factory=dict)
    deleted: bool = False
    duplicate_key: str = ""
    comments: list[Comment] = field(default_factory=list)


class Tokens:
    """Codes by value, tokens by the hash of theirs. Expiry is judged by the caller's clock."""

    def __init__(self) -> None:
        self.codes: OrderedDict[str, Code] = OrderedDict()
        self.access: OrderedDict[str, Token] = OrderedDict()
        self.refresh: OrderedDict[str, Token] = OrderedDict()

    def add_code(self, code: Code) -> None:
        _put(self.codes, code.value, code)

    def add(self, token: Token) -> None:
        _put(self.refresh if token.kind == "refresh" else self.access, token.digest, token)

    def bearer(self, value: str) -> Token | None:
        """The access token with this text."""
        return self.access.get(digest(value))

    def refreshing(self, value: str) -> Token | None:
        """The refresh token with this text."""
        return self.refresh.get(digest(value))

    def grants(self) -> Iterator[Grant]:
        for token in [*self.access.values(), *self.refresh.values()]:
            yield token.grant

    def end(self, platform: str, person: Person, reason: str) -> int:
        """Ends every grant of a person on a platform and says how many were alive."""
        alive = {id(g): g for g in self.grants() if g.platform == platform and g.person is person}
        ended = [g for g in alive.values() if g.ended is None]
        for grant in ended:
            grant.ended = reason
        return len(ended)


class Posts:
    """Published posts per platform in order of creation, with the two lookups the platforms need."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[tuple[str, str], Post] = OrderedDict()
        self._by_person: dict[tuple[str, str], OrderedDict[str, Post]] = {}
        self._duplicates: dict[tuple[str, str, str], Post] = {}

    def add(self, post: Post) -> None:
        self._by_id[post.platform, post.id] = post
        self._by_person.setdefault((post.platform, post.person.key), OrderedDict())[post.id] = post
        if post.duplicate_key:
            self._duplicates[post.platform, post.person.key, post.duplicate_key] = post
        if len(self._by_id) > MAX_POSTS:
            self._forget(next(iter(self._by_id.values())))

    def _forget(self, post: Post) -> None:
        del self._by_id[post.platform, post.id]
        self._by_person[post.platform, post.person.key].pop(post.id, None)
        key = (post.platform, post.person.key, post.duplicate_key)
        if self._duplicates.get(key) is post:
            del self._duplicates[key]

    def get(self, platform: str, post_id: str) -> Post | None:
        post = self._by_id.get((platform, post_id))
        return None if post is None or post.deleted else post

    def duplicate(self, platform: str, person: Person, key: str, since: float) -> Post | None:
        """The live post of this person with the same content, created at or after `since`."""
        post = self._duplicates.get((platform, person.key, key))
        return None if post is None or post.deleted or post.created_at < since else post

    def of(self, platform: str, person: Person) -> list[Post]:
        """The person's live posts, newest first."""
        mine: dict[str, Post] = self._by_person.get((platform, person.key), OrderedDict())
        return [post for post in reversed(mine.values()) if not post.deleted]

    def newest(self, platform: str | None = None, limit: int = MAX_POSTS) -> list[Post]:
        found: list[Post] = []
        for post in reversed(self._by_id.values()):
            if not post.deleted and platform in (None, post.platform):
                found.append(post)
            if len(found) >= limit:
                break
        return found


class Library:
    """Uploaded files by platform and id. Forgets the oldest bytes past the cap, never their hash."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[tuple[str, str], Media] = OrderedDict()
        self._with_bytes: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._bytes = 0

    def add(self, media: Media) -> None:
        _put(self._by_id, (media.platform, media.id), media)

    def get(self, platform: str, media_id: str) -> Media | None:
        return self._by_id.get((platform, media_id))

    def by_upload_token(self, token: str) -> Media | None:
        return next((m for m in reversed(self._by_id.values()) if m.upload_token == token), None)

    def store(self, media: Media, data: bytes | Spool) -> None:
        media.file = data if isinstance(data, Spool) else Spool(data)
        media.segments = {}
        media.sha256 = media.file.sha256
        key = (media.platform, media.id)
        self._bytes += media.file.size - self._with_bytes.pop(key, 0)
        self._with_bytes[key] = media.file.size
        while self._bytes > MAX_MEDIA_BYTES and len(self._with_bytes) > 1:
            oldest, size = self._with_bytes.popitem(last=False)
            self._bytes -= size
            if oldest in self._by_id:
                self._by_id[oldest].file = None


class Drafts:
    """Drafts by platform and id, oldest forgotten first."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[tuple[str, str], Draft] = OrderedDict()

    def add(self, draft: Draft) -> None:
        _put(self._by_id, (draft.platform, draft.id), draft)

    def get(self, platform: str, draft_id: str) -> Draft | None:
        return self._by_id.get((platform, draft_id))

    def of(self, platform: str, person: Person, since: float) -> list[Draft]:
        """Those of a person that were made at or after `since`, newest first."""
        return [
            draft
            for draft in reversed(self._by_id.values())
            if draft.platform == platform and draft.person is person and draft.created_at >= since
        ]


class State:
    """Everything one sandbox remembers. `reset` forgets it and keeps what the application has registered."""

    def __init__(
        self, secret: str, redirect_uris: Iterable[str] = (), media_prefixes: Iterable[str] = ()
    ) -> None:
        self.secret = secret
        self.media_prefixes = list(
            media_prefixes
        )  # URL prefixes that the application has verified with TikTok
        self.clock = Clock()
        self.redirect_uris: dict[str, set[str]] = {p: set(redirect_uris) for p in PLATFORMS}
        self.approved_scopes: dict[str, frozenset[str]] = {}
        self.mail_webhook = ""  # where Resend's events go
        self._sequence = 0
        self.reset()

    def reset(self) -> None:
        self.clock.offset = 0.0
        self.people: dict[str, Person] = {p.key: p for p in _first_people()}
        self.tokens = Tokens()
        self.posts = Posts()
        self.library = Library()
        self.youtube = YouTubeSettings()
        self.drafts = Drafts()
        self.settings: dict[tuple[str, str], dict[str, Any]] = {}
        self.mails: dict[str, Any] = {}  # what Resend took, by id, oldest first
        self.mail_keys: dict[str, Any] = {}  # the same by idempotency key
        self.suppressions: dict[str, Any] = {}  # by address: whom Resend sends nothing more
        self.stripe: dict[str, Any] = {}  # customers by id, oldest first
        self.stripe_keys: dict[str, Any] = {}  # answers by idempotency key
        self.totals: Counter[str] = Counter()
        self.limits: dict[str, int] = {}
        self.approved_scopes.clear()
        self.media_delay_seconds = 0.5

    def now(self) -> float:
        return self.clock.now()

    def forget_old_mails(self) -> None:
        """Oldest first, so that the first one that may stay ends it."""
        while self.mails:
            oldest = next(iter(self.mails.values()))
            if oldest.at > self.now() - MAIL_SECONDS:
                break
            del self.mails[oldest.id]
            self.mail_keys.pop(oldest.idempotency_key, None)

    def client_id(self, platform: str) -> str:
        return f"sandbox-{platform}"

    def new_id(self) -> str:
        """A snowflake id: 64 bits, growing, with the time of creation in it."""
        self._sequence = (self._sequence + 1) % 4_194_304
        return str(((int(self.now() * 1000) - X_EPOCH_MS) << 22) | self._sequence)

    def person(self, name: str) -> Person | None:
        """Finds a person by key or handle."""
        if name in self.people:
            return self.people[name]
        wanted = name.lstrip("@").lower()
        return next((p for p in self.people.values() if p.handle.lower() == wanted), None)

    def person_by_account(self, platform: str, account_id: str) -> Person | None:
        return next((p for p in self.people.values() if p.account_id(platform) == account_id), None)

    def add_person(
        self, key: str, name: str, handle: str, headline: str = "", premium: bool = False
    ) -> Person:
        person = Person(key, name, handle, headline, premium)
        _put(self.people, key, person)
        return person

    def setting(self, platform: str, name: str, default: Any, person: Person | None = None) -> Any:
        """What the control API set for an account (`person`) or for the application at a platform."""
        return self.settings.get((platform, person.key if person else ""), {}).get(name, default)

    def bearer(self, value: str) -> Token | None:
        return self.tokens.bearer(value)


def new_secret(prefix: str = "") -> str:
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 in hex: what the sandbox keeps of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _put(store: dict[Any, Any], key: object, value: object) -> None:
    store[key] = value
    if len(store) > MAX_GRANTS:
        del store[next(iter(store))]


def _first_people() -> list[Person]:
    return [
        Person("maya", "Maya Okafor", "mayaokafor", "Documentary film maker"),
        Person("jonas", "Jonas Lindqvist", "jonaslindqvist", "Bakes bread and teaches it"),
        Person("priya", "Priya Raman", "priyaraman", "Designer of quiet software", True),
    ]
