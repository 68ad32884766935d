"""X: bodies of posts, their texts as X shows them, and what its answers tell besides."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import httpx

from workers.providers.base import Budget, PublishClaim, budget_of, json_object

__all__ = [
    "budgets",
    "category",
    "charge",
    "charge_shown",
    "comparable",
    "detail",
    "is_same",
    "post_body",
    "post_url",
    "problem_type",
    "replies_to",
    "reply_body",
    "sentence",
]

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_PICTURE_LINK: Final = re.compile(r"/status/\d+/(photo|video)/\d+$")
_SHORT_LINK: Final = re.compile(r"https://t\.co/\w+")
_REPLY_SETTINGS: Final = frozenset({"following", "mentionedUsers", "subscribers", "verified"})


def post_body(claim: PublishClaim) -> dict[str, Any]:
    """Body of `POST /2/tweets` without media. Only known options are taken over."""
    body: dict[str, Any] = {"text": claim.text}
    options = claim.options
    if options.get("reply_settings") in _REPLY_SETTINGS:
        body["reply_settings"] = options["reply_settings"]
    for flag in ("made_with_ai", "paid_partnership"):
        if options.get(flag) is True:
            body[flag] = True
    community = options.get("community_id")
    if isinstance(community, str) and community.isdigit():
        body["community_id"] = community
    reply_to = options.get("in_reply_to")
    if isinstance(reply_to, str) and reply_to.isdigit():
        body["reply"] = {"in_reply_to_tweet_id": reply_to}
    return body


def reply_body(claim: PublishClaim, text: str, parent_id: str) -> dict[str, Any]:
    """Body of a further part of a thread. Disclosures hold for every part."""
    flags = {flag: True for flag in ("made_with_ai", "paid_partnership") if claim.options.get(flag) is True}
    return {"text": text, **flags, "reply": {"in_reply_to_tweet_id": parent_id}}


def replies_to(post: Mapping[str, Any], parent_id: str) -> bool:
    referenced = post.get("referenced_tweets")
    return isinstance(referenced, list) and any(
        isinstance(item, dict) and item.get("type") == "replied_to" and item.get("id") == parent_id
        for item in referenced
    )


def charge(shown: str, has_media: bool) -> str:
    """Name of the price of a post, by the text that X answered: its own pictures are one shortened link, too."""
    return _charge_name(len(_SHORT_LINK.findall(shown)) > has_media)


def _charge_name(has_link: bool) -> str:
    return "post_create_with_url" if has_link else "post_create"


def charge_shown(post: Mapping[str, Any]) -> str:
    """The same of a post in a timeline, whose entities say what each of its links is."""
    return _charge_name(any(not is_picture for _, _, is_picture in _links(_source(post))))


def budgets(response: httpx.Response) -> tuple[Budget, ...]:
    """What X tells about its windows: of 15 minutes, and of 24 hours for the account and for our app."""
    headers: tuple[tuple[Literal["account", "app"], str, str], ...] = (
        ("account", "posts", "x-rate-limit"),
        ("account", "posts_day", "x-user-limit-24hour"),
        ("app", "posts_day", "x-app-limit-24hour"),
    )
    found = (budget_of(response, scope, name, prefix) for scope, name, prefix in headers)
    return tuple(budget for budget in found if budget is not None)


def category(mime_type: str) -> str:
    if mime_type == "image/gif":
        return "tweet_gif"
    return "tweet_video" if mime_type.startswith("video/") else "tweet_image"


def post_url(post_id: str) -> str:
    return f"https://x.com/i/web/status/{post_id}"


def detail(response: httpx.Response) -> str:
    body = json_object(response) or {}
    detail = body.get("detail")
    if isinstance(detail, str):
        return detail
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0].get("message") or errors[0].get("detail")
        return first if isinstance(first, str) else ""
    return ""


def problem_type(response: httpx.Response) -> str:
    kind = (json_object(response) or {}).get("type")
    return kind if isinstance(kind, str) else ""


def sentence(detail: str) -> str:
    """X's own explanation, short enough to show."""
    return f"X says: {detail[:200]}" if detail else ""


def is_same(post: object, wanted: str, start: datetime) -> bool:
    if not isinstance(post, dict) or not isinstance(post.get("id"), str):
        return False
    try:
        created = datetime.fromisoformat(str(post.get("created_at")))
    except ValueError:
        return False
    return created >= start and comparable(expanded(post)) == wanted


def expanded(post: Mapping[str, Any]) -> str:
    """The post's text as it was written: links unshortened, links to its own pictures dropped, entities
    unescaped."""
    source = _source(post)
    text = str(source.get("text", ""))
    for short, target, is_picture in _links(source):
        text = text.replace(short, "" if is_picture else target)
    return html.unescape(text)


def _source(post: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the full text is: a long post keeps it in `note_tweet`."""
    note = post.get("note_tweet")
    return note if isinstance(note, dict) and isinstance(note.get("text"), str) else post


def _links(source: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Shortened form, target, and whether it leads to a picture of the post itself, of every link of a text."""
    entities = source.get("entities")
    urls = entities.get("urls") if isinstance(entities, dict) else None
    for link in urls if isinstance(urls, list) else []:
        if not isinstance(link, dict) or not isinstance(link.get("url"), str):
            continue
        expanded_url = link.get("expanded_url")
        target = expanded_url if isinstance(expanded_url, str) else ""
        is_picture = "media_key" in link or not target or bool(_PICTURE_LINK.search(target))
        yield link["url"], target, is_picture


def comparable(text: str) -> str:
    """Form in which two texts are compared: NFC, one space for any white space, links without scheme and
    final slash (X adds both to what a person typed)."""
    words = unicodedata.normalize("NFC", text).split()
    return " ".join(_URL.sub("", word).rstrip("/") if "." in word else word for word in words)
