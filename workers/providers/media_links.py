"""Addresses of files for platforms that fetch only from a domain that the operator has proven to own.

A signed URL of the storage is on a host that is not the operator's (`*.supabase.co`). The worker's own web app serves
the same file under `NEXORA_PUBLIC_URL/media/…` and hands the signature through to the storage, which checks it and its
end. So the address is exactly as powerful, and lives exactly as long, as the signed URL that it was made from.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["MEDIA_PATH", "SIGNED_PATH", "own_address"]

MEDIA_PATH: Final = "/media/"
SIGNED_PATH: Final = "/storage/v1/object/sign/"


def own_address(signed: str, public_url: str) -> str:
    """The address on our own domain of the file that a signed URL of the storage names.

    Args:
        signed: `…/storage/v1/object/sign/<bucket>/<name>?token=<signature>`.
        public_url: `NEXORA_PUBLIC_URL`, without a trailing slash.

    Raises:
        ValueError: that is no signed URL of the storage.
    """
    parts = urlsplit(signed)
    _, found, name = parts.path.partition(SIGNED_PATH)
    if not found or not name or not parts.query.startswith("token="):
        raise ValueError("not a signed URL of the storage")
    return f"{public_url}{MEDIA_PATH}{name}?{parts.query}"
