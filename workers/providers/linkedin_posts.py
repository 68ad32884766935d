"""LinkedIn: bodies of posts and comments, the little text format, and what refusals say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from workers.providers.base import (
    MediaReference,
    Outcome,
    PublishClaim,
    Published,
    Rejected,
    Unknown,
    fingerprint,
    json_object,
)

__all__ = [
    "POST_URN",
    "author",
    "comment_body",
    "input_codes",
    "is_duplicate",
    "little_text",
    "post_body",
    "post_url",
    "recognised",
    "uploaded",
]

POST_URN: Final = re.compile(r"urn:li:(?:share|ugcPost|activity):(\d+)")
_RESERVED: Final = re.compile(r"[\\|{}@\[\]()<>#*_~]")
_HASHTAG: Final = re.compile(r"(?<![\w&#])#(?=\d*[^\W\d_])([^\W_]+)")
_VISIBILITY: Final = frozenset({"PUBLIC", "CONNECTIONS", "LOGGED_IN"})
_LONGEST_TITLE: Final = 100


def little_text(text: str) -> str:
    """A plain text in LinkedIn's "little text format".

    Reserved characters are escaped with a backslash: unescaped, LinkedIn silently cuts the post at the first
    one. Hash tags become the format's own element, so that they stay links.
    """
    parts: list[str] = []
    end = 0
    for tag in _HASHTAG.finditer(text):
        parts.append(_escaped(text[end : tag.start()]))
        parts.append(f"{{hashtag|\\#|{tag.group(1)}}}")
        end = tag.end()
    parts.append(_escaped(text[end:]))
    return "".join(parts)


def _escaped(text: str) -> str:
    return _RESERVED.sub(r"\\\g<0>", text)


def author(claim: PublishClaim) -> str:
    """URN of whoever posts."""
    account = claim.external_account_id
    return account if account.startswith("urn:li:") else f"urn:li:person:{account}"


def post_body(claim: PublishClaim, assets: Sequence[str]) -> dict[str, Any]:
    """Body of `POST /rest/posts`. The same claim and assets always give the same bytes; probing relies on
    it."""
    visibility = claim.options.get("visibility")
    body: dict[str, Any] = {
        "author": author(claim),
        "commentary": little_text(claim.text),
        "visibility": visibility if visibility in _VISIBILITY else "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": claim.options.get("is_reshare_disabled") is True,
    }
    items = [_content(claim, item, urn) for urn, item in zip(assets, claim.media, strict=True)]
    if len(items) == 1:
        body["content"] = {"media": items[0]}
    elif items:
        body["content"] = {"multiImage": {"images": items}}
    return body


def _content(claim: PublishClaim, item: MediaReference, urn: str) -> dict[str, Any]:
    """One file in a post. A document needs a title; a video has none of its own, and no description."""
    if item.kind == "document":
        return {"id": urn, "title": _title(claim, item)}
    if item.kind == "image" and item.alt_text:
        return {"id": urn, "altText": item.alt_text}
    return {"id": urn}


def _title(claim: PublishClaim, item: MediaReference) -> str:
    lines = (item.alt_text or claim.text).strip().splitlines()
    return lines[0][:_LONGEST_TITLE] if lines else "Document"


def comment_body(claim: PublishClaim, text: str, root_id: str) -> dict[str, Any]:
    """Body of `POST /rest/socialActions/{urn}/comments`; its text is plain."""
    return {"actor": author(claim), "object": root_id, "message": {"text": text}}


def uploaded(claim: PublishClaim) -> list[str] | None:
    """URNs of an earlier attempt's uploads, if they are of the same files. LinkedIn keeps them."""
    progress = claim.progress or {}
    assets = progress.get("assets")
    if not isinstance(assets, list) or not all(isinstance(urn, str) for urn in assets):
        return None
    if progress.get("assets_of") != fingerprint(claim.media) or len(assets) != len(claim.media):
        return None
    return assets


def post_url(urn: str) -> str:
    """Where people see a post."""
    return f"https://www.linkedin.com/feed/update/{urn}/"


def input_codes(response: httpx.Response) -> frozenset[str]:
    """Codes of a refusal: of its input errors, and its own."""
    body = json_object(response) or {}
    details = body.get("errorDetails")
    errors = details.get("inputErrors") if isinstance(details, dict) else None
    found = (
        [item.get("code") for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    )
    return frozenset(code for code in (*found, body.get("code")) if isinstance(code, str))


def is_duplicate(response: httpx.Response) -> bool:
    """422 (400 from older versions) with `DUPLICATE_POST`."""
    return response.status_code in (400, 409, 422) and "DUPLICATE_POST" in input_codes(response)


def recognised(response: httpx.Response, sending_at: datetime) -> Outcome:
    """LinkedIn recognised the repeated post; its answer names the first one.

    The id holds the time of creation in its upper bits (milliseconds since 1970, seen, not documented). Where
    it reads as a plausible time that is well before our attempt, the person had posted the same before by
    themselves.
    """
    urn = POST_URN.search(response.text)
    if urn is None:
        return Unknown("duplicate_without_id", http_status=response.status_code)
    created = (int(urn.group(1)) >> 22) / 1000
    is_plausible = 1_000_000_000 < created < 10_000_000_000  # 2001 … 2286
    if is_plausible and created < (sending_at - timedelta(minutes=10)).timestamp():
        return Rejected(
            "duplicate_content",
            "LinkedIn says that you had already posted exactly this before. Change the text and schedule "
            "it again.",
            response.status_code,
        )
    return Published(urn.group(0), post_url(urn.group(0)), response.status_code)
