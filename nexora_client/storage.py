"""Files: uploaded by their owner, reached through URLs that expire (P3.3)."""

from __future__ import annotations

from pathlib import Path

from nexora_client import errors
from nexora_client.transport import Transport, translated

__all__ = ["Upload", "remove_object", "signed_url", "upload_object"]

Upload = bytes | Path


def upload_object(transport: Transport, bucket: str, name: str, content: Upload, mime_type: str) -> None:
    """Store a file under a new name.

    Raises:
        ValidationFailed: larger than the bucket allows, or of a type that it does not take.
        Forbidden: the name is not in the person's own folder.
    """
    transport.user_id()
    with translated():
        transport.supabase.storage.from_(bucket).upload(name, content, {"content-type": mime_type})


def signed_url(transport: Transport, bucket: str, name: str, valid_for_seconds: int) -> str:
    """A URL that shows the file to whoever has it, for so many seconds.

    Raises:
        NotFound: there is no such file, or it belongs to somebody else.
    """
    transport.user_id()
    with translated():
        url = transport.supabase.storage.from_(bucket).create_signed_url(name, valid_for_seconds)["signedURL"]
    if url is None:
        raise errors.UnexpectedAnswer("The service signed no URL.")
    return url


def remove_object(transport: Transport, bucket: str, name: str) -> None:
    """Delete a file; without one of that name, do nothing."""
    transport.user_id()
    with translated():
        transport.supabase.storage.from_(bucket).remove([name])
