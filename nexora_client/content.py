"""What the creator writes and uploads: scripts, posts, captions, media."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from uuid import UUID, uuid4

from nexora_client.rows import UNSET, Instant, OwnedRow, Row, Unset, changes
from nexora_client.storage import Upload, remove_object, signed_url, upload_object
from nexora_client.transport import LAST_CHANGED_FIRST, NEWEST_FIRST, PAGE_SIZE, Transport, parse_row

__all__ = [
    "Caption",
    "CaptionsContext",
    "ContentContext",
    "Media",
    "MediaContext",
    "MediaKind",
    "MediaRole",
    "Post",
    "PostMedia",
    "PostsContext",
    "Script",
    "ScriptsContext",
]

MEDIA = "media"


class Script(OwnedRow, frozen=True):
    """A text to be spoken or repurposed."""

    title: str
    body: str
    created_at: Instant
    updated_at: Instant


class Post(OwnedRow, frozen=True):
    """A text with media, to be published on one or more accounts."""

    script_id: UUID | None
    title: str
    body: str
    created_at: Instant
    updated_at: Instant


class Caption(OwnedRow, frozen=True):
    """A text that the creator keeps for reuse."""

    platform_id: str | None
    title: str
    body: str
    created_at: Instant
    updated_at: Instant


class MediaKind(StrEnum):
    """What a file is, to a platform."""

    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"


class Media(OwnedRow, frozen=True):
    """An uploaded file."""

    bucket_id: str
    object_name: str
    kind: MediaKind
    mime_type: str
    size_bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    alt_text: str | None
    created_at: Instant


class MediaRole(StrEnum):
    """What a file is to a post."""

    ATTACHMENT = "attachment"
    THUMBNAIL = "thumbnail"


class PostMedia(Row, frozen=True):
    """A file of a post; `position` orders the files of one role."""

    post_id: UUID
    media_id: UUID
    user_id: UUID
    position: int
    role: MediaRole


class ScriptsContext:
    """`client.content.scripts`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, title: str = "", body: str = "") -> Script:
        """Write a script."""
        return self._transport.insert(Script, "scripts", {"title": title, "body": body})

    def get(self, script_id: UUID) -> Script:
        """One script.

        Raises:
            NotFound: the person has no such script.
        """
        return self._transport.select_one(Script, "scripts", {"id": script_id})

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[Script]:
        """Every script, last changed first, fetched `page_size` at a time."""
        return self._transport.iterate(Script, "scripts", {}, LAST_CHANGED_FIRST, page_size=page_size)

    def update(self, script_id: UUID, *, title: str | Unset = UNSET, body: str | Unset = UNSET) -> Script:
        """Change what is given.

        Raises:
            NotFound: the person has no such script.
        """
        return self._transport.update(Script, "scripts", changes(title=title, body=body), {"id": script_id})

    def delete(self, script_id: UUID) -> None:
        """Delete a script; posts made from it stay.

        Raises:
            NotFound: the person has no such script.
        """
        self._transport.delete("scripts", {"id": script_id})


class PostsContext:
    """`client.content.posts`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, body: str = "", *, title: str = "", script_id: UUID | None = None) -> Post:
        """Write a post.

        Args:
            body: the text; a target may carry its own instead.
            title: for platforms that have one, and for lists.
            script_id: the script it was made from.

        Raises:
            NotFound: the person has no such script.
        """
        row = {"body": body, "title": title, "script_id": script_id}
        return self._transport.insert(Post, "posts", row)

    def get(self, post_id: UUID) -> Post:
        """One post.

        Raises:
            NotFound: the person has no such post.
        """
        return self._transport.select_one(Post, "posts", {"id": post_id})

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[Post]:
        """Every post, last changed first, fetched `page_size` at a time."""
        return self._transport.iterate(Post, "posts", {}, LAST_CHANGED_FIRST, page_size=page_size)

    def update(self, post_id: UUID, *, body: str | Unset = UNSET, title: str | Unset = UNSET) -> Post:
        """Change what is given. While a target is scheduled, the change is checked like a schedule.

        Raises:
            NotFound: the person has no such post.
            ValidationFailed: a scheduled target could no longer be published; see `problems`.
            WrongState: it is being published at this moment.
        """
        return self._transport.update(Post, "posts", changes(body=body, title=title), {"id": post_id})

    def delete(self, post_id: UUID) -> None:
        """Delete a post with its targets; what is published stays on the platforms.

        Raises:
            NotFound: the person has no such post.
            WrongState: a target is being published at this moment.
        """
        self._transport.delete("posts", {"id": post_id})

    def attach(
        self,
        post_id: UUID,
        media_id: UUID,
        *,
        position: int = 1,
        role: MediaRole = MediaRole.ATTACHMENT,
    ) -> PostMedia:
        """Add a file to a post.

        Args:
            position: its place among the files of the post, from 1; each is taken once.
            role: part of the post, or the preview picture of its video (YouTube); a post has one of these.

        Raises:
            NotFound: the person has no such post or file.
            AlreadyExists: the file is attached, or the position is taken.
            ValidationFailed: a scheduled target could no longer be published; see `problems`.
            WrongState: the post is being published at this moment.
        """
        row = {"post_id": post_id, "media_id": media_id, "position": position, "role": role.value}
        return self._transport.insert(PostMedia, "post_media", row)

    def detach(self, post_id: UUID, media_id: UUID) -> None:
        """Take a file off a post; the file stays.

        Raises:
            NotFound: the file is not attached to a post of the person's.
            WrongState: the post is being published at this moment.
        """
        self._transport.delete("post_media", {"post_id": post_id, "media_id": media_id})

    def attached(self, post_id: UUID) -> tuple[PostMedia, ...]:
        """The files of a post, in order."""
        return self._transport.select(PostMedia, "post_media", {"post_id": post_id}, order="position")


class CaptionsContext:
    """`client.content.captions`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, body: str, *, title: str = "", platform_id: str | None = None) -> Caption:
        """Keep a caption, for one platform or for any."""
        row = {"body": body, "title": title, "platform_id": platform_id}
        return self._transport.insert(Caption, "captions", row)

    def get(self, caption_id: UUID) -> Caption:
        """One caption.

        Raises:
            NotFound: the person has no such caption.
        """
        return self._transport.select_one(Caption, "captions", {"id": caption_id})

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[Caption]:
        """Every caption, last changed first, fetched `page_size` at a time."""
        return self._transport.iterate(Caption, "captions", {}, LAST_CHANGED_FIRST, page_size=page_size)

    def update(self, caption_id: UUID, *, title: str | Unset = UNSET, body: str | Unset = UNSET) -> Caption:
        """Change what is given.

        Raises:
            NotFound: the person has no such caption.
        """
        return self._transport.update(
            Caption, "captions", changes(title=title, body=body), {"id": caption_id}
        )

    def delete(self, caption_id: UUID) -> None:
        """Delete a caption.

        Raises:
            NotFound: the person has no such caption.
        """
        self._transport.delete("captions", {"id": caption_id})


class MediaContext:
    """`client.content.media`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        content: Upload,
        mime_type: str,
        *,
        alt_text: str | None = None,
        width: int | None = None,
        height: int | None = None,
        duration_ms: int | None = None,
    ) -> Media:
        """Upload a file and register it, so that posts can use it.

        Args:
            content: its bytes, or a path to read them from.
            mime_type: for example "image/jpeg" or "video/mp4".
            alt_text: what it shows, for those who cannot see it.
            width: pixels.
            height: pixels.
            duration_ms: length of a video; with it and the pixels, limits of platforms are checked beforehand.

        Raises:
            ValidationFailed: too large, or of a type that is not accepted.
        """
        suffix = content.suffix if isinstance(content, Path) else ""
        name = f"{self._transport.user_id()}/{uuid4()}{suffix}"
        upload_object(self._transport, MEDIA, name, content, mime_type)
        answer = self._transport.call(
            "register_media",
            object_name=name,
            alt_text=alt_text,
            width=width,
            height=height,
            duration_ms=duration_ms,
        )
        return parse_row(Media, answer)

    def get(self, media_id: UUID) -> Media:
        """One file's row.

        Raises:
            NotFound: the person has no such file.
        """
        return self._transport.select_one(Media, "media", {"id": media_id})

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[Media]:
        """Every file's row, newest first, fetched `page_size` at a time."""
        return self._transport.iterate(Media, "media", {}, NEWEST_FIRST, page_size=page_size)

    def update(self, media_id: UUID, *, alt_text: str | Unset | None = UNSET) -> Media:
        """Change what is given.

        Raises:
            NotFound: the person has no such file.
        """
        return self._transport.update(Media, "media", changes(alt_text=alt_text), {"id": media_id})

    def url(self, media_id: UUID, *, valid_for_seconds: int = 3600) -> str:
        """A URL of the file that expires (P3.3).

        Raises:
            NotFound: the person has no such file.
        """
        media = self.get(media_id)
        return signed_url(self._transport, media.bucket_id, media.object_name, valid_for_seconds)

    def delete(self, media_id: UUID) -> None:
        """Delete a file; posts lose it.

        Raises:
            NotFound: the person has no such file.
            WrongState: a post with it is being published at this moment.
        """
        media = self.get(media_id)
        self._transport.delete("media", {"id": media_id})
        remove_object(self._transport, media.bucket_id, media.object_name)


class ContentContext:
    """`client.content`.

    Attributes:
        scripts: texts to be spoken or repurposed.
        posts: texts with media, to be published.
        captions: texts kept for reuse.
        media: uploaded files.
    """

    def __init__(self, transport: Transport) -> None:
        self.scripts = ScriptsContext(transport)
        self.posts = PostsContext(transport)
        self.captions = CaptionsContext(transport)
        self.media = MediaContext(transport)
