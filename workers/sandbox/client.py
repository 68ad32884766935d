"""A typed client of the control API. Standard library only: it talks to loopback and to nothing else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

FaultKind = Literal[
    "status",
    "rate_limit",
    "hang",
    "delay",
    "hold",
    "reset_before",
    "reset_after",
    "revoke_token",
    "malformed",
]
TIMEOUT_SECONDS = 10.0


class ControlError(RuntimeError):
    """The sandbox refused a control request; the text is its explanation."""


@dataclass(frozen=True, slots=True)
class PublishedMedia:
    """One attached file: `url` serves its bytes."""

    id: str
    mime_type: str
    bytes: int
    sha256: str
    alt_text: str
    url: str


@dataclass(frozen=True, slots=True)
class PublishedPost:
    """A post as the public sees it; `created_at` in seconds since 1970, `is_cut` if LinkedIn cut the text.

    `details` is what only some platforms have; of a video on YouTube: title, privacy, publish_at, tags,
    category_id, made_for_kids, notify, thumbnail (SHA-256 of the picture).
    """

    id: str
    platform: str
    person: str
    account_id: str
    handle: str
    created_at: float
    text: str
    api_text: str
    sent_text: str
    url: str
    metrics: dict[str, int]
    is_cut: bool
    reply_to: str | None
    media: tuple[PublishedMedia, ...]
    details: dict[str, Any]
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentMail:
    """A message that Resend took; `events` in order, such as `email.delivered`."""

    id: str
    at: float
    to: list[str]
    idempotency_key: str
    events: list[str]
    sender: str
    subject: str
    html: str
    text: str
    headers: dict[str, str] | None
    tags: list[dict[str, str]] | None


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One recorded request; `status` is None while it runs and 0 when its connection was dropped."""

    number: int
    at: float
    platform: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    accepted: bool
    accepted_id: str | None
    status: int | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """A request that waits for `release`."""

    id: int
    at: str
    platform: str
    method: str
    path: str


class SandboxControl:
    """Arranges, breaks and inspects one running sandbox.

    Args:
        url: the sandbox's base URL, for example `http://127.0.0.1:8750`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._host = urlsplit(self.url).netloc

    def add_fault(
        self,
        kind: FaultKind,
        *,
        at: Literal["before", "after"] | None = None,
        platform: str = "",
        method: str = "",
        path: str = "",
        times: int = 1,
        status: int | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        seconds: float = 1.0,
    ) -> int:
        """Makes the next `times` matching requests fail; `path` is a regular expression. Returns the id."""
        spec = {
            "kind": kind, "at": at, "platform": platform, "method": method, "path": path, "times": times,
            "status": status, "body": body, "headers": headers or {}, "seconds": seconds,
        }  # fmt: skip
        return int(self._post("faults", spec)["id"])

    def clear_faults(self) -> None:
        """Removes all rules and drops held requests."""
        self._post("faults/clear", {})

    def held(self) -> list[HeldRequest]:
        return [HeldRequest(**item) for item in self._get("held")["held"]]

    def release(self, held_id: int | None = None, *, drop: bool = False) -> int:
        """Lets one or all held requests go on, or drops their connections; returns how many."""
        return int(self._post("release", {"id": held_id, "drop": drop})["released"])

    def records(
        self, platform: str = "", method: str = "", path: str = "", since: int = 0
    ) -> list[ReceivedRequest]:
        query = {"platform": platform, "method": method, "path": path, "since": since}
        return [ReceivedRequest(**item) for item in self._get("records?" + urlencode(query))["records"]]

    def posts(self, platform: str = "") -> list[PublishedPost]:
        """Live posts, newest first."""
        found = self._get("posts?" + urlencode({"platform": platform}))["posts"]
        return [
            PublishedPost(
                **{
                    **p,
                    "media": tuple(PublishedMedia(**m) for m in p["media"]),
                    "comments": tuple(p["comments"]),
                }
            )
            for p in found
        ]

    def mails(self, to: str = "") -> list[SentMail]:
        """Messages that Resend took, newest first; with `to`, those to this address."""
        found = self._get("mails?" + urlencode({"to": to}))["mails"]
        return [SentMail(sender=m.pop("from"), **m) for m in found]

    def set_mail_webhook(self, url: str) -> None:
        """Where Resend sends its events; empty: nowhere."""
        self._post("mail_webhook", {"url": url})

    def tell_about_mail(self, mail_id: str, event: str, *, bounce: str | None = None) -> None:
        """Sends another event about a message, such as `email.bounced` with the type of the bounce."""
        self._post("mail_events", {"id": mail_id, "event": event, "bounce": bounce})

    def add_person(
        self, key: str, name: str, handle: str, headline: str = "", *, x_premium: bool = False
    ) -> dict[str, str]:
        """Adds somebody with an account on every platform; returns the account ids by platform."""
        body = {"key": key, "name": name, "handle": handle, "headline": headline, "x_premium": x_premium}
        accounts: dict[str, str] = self._post("people", body)["accounts"]
        return accounts

    def people(self) -> dict[str, dict[str, str]]:
        """Account ids by platform, by person key."""
        return {p["key"]: p["accounts"] for p in self._get("people")["people"]}

    def revoke(self, platform: str, person: str) -> int:
        """The person removes the application on the platform; returns how many grants ended."""
        return int(self._post("revoke", {"platform": platform, "person": person})["revoked"])

    def auto_approve(
        self, platform: str, person: str | None, *, scopes: Iterable[str] | None = None, deny: bool = False
    ) -> None:
        """Decides every authorization of the platform without a page; `person=None` ends it."""
        chosen = None if scopes is None else sorted(scopes)
        self._post("auto_approve", {"platform": platform, "person": person, "scopes": chosen, "deny": deny})

    def add_redirect_uris(self, *uris: str, platform: str | None = None) -> None:
        body: dict[str, Any] = {"uris": uris}
        self._post("redirect_uris", body if platform is None else {**body, "platform": platform})

    def approve_scopes(self, platform: str, scopes: Iterable[str]) -> None:
        """Replaces what the platform's review lets the application ask for."""
        self._post("approved_scopes", {"platform": platform, "scopes": sorted(scopes)})

    def set_clock(self, offset_seconds: float) -> None:
        """Moves the sandbox's clock to this offset from the machine's."""
        self._post("clock", {"offset_seconds": offset_seconds})

    def advance_clock(self, seconds: float) -> None:
        self._post("clock", {"advance_seconds": seconds})

    def set_limits(self, **limits: int) -> None:
        """Replaces rate limits; use `set_limits(**{"x POST /2/tweets": 5})`."""
        self._post("limits", dict(limits))

    def set_metrics(self, platform: str, post_id: str, metrics: dict[str, int]) -> None:
        self._post("metrics", {"platform": platform, "post_id": post_id, "metrics": metrics})

    def set_media_delay(self, seconds: float) -> None:
        """How long the platforms process a file before it counts as ready."""
        self._post("media_delay", {"seconds": seconds})

    def set_youtube(self, *, forced_private: bool | None = None, stored_bytes: int | None = None) -> None:
        """`forced_private`: every upload becomes private. `stored_bytes`: of the next part only so many bytes
        are kept."""
        body: dict[str, Any] = {"stored_bytes": stored_bytes}
        self._post("youtube", body if forced_private is None else {**body, "forced_private": forced_private})

    def change_settings(self, platform: str, person: str | None = None, **values: Any) -> None:
        """Facts about a person's account, or about the application when `person` is None.

        TikTok: `audited`, `verified_prefixes`, `moderation_seconds` (application); `private`, `banned`,
        `comment_disabled`, `duet_disabled`, `stitch_disabled`, `max_video_seconds`, `fail_next` (account).
        Instagram: `restricted`, `fail_next` (account).
        """
        self._post("settings", {"platform": platform, "person": person, "values": values})

    def finish_in_app(self, publish_id: str) -> str:
        """The person posts from the TikTok app what an upload put into their inbox; the id of the post."""
        return str(self._post("finish_in_app", {"publish_id": publish_id})["post_id"])

    def give_customer(self, customer_id: str, **belongings: list[dict[str, Any]]) -> None:
        """Gives a customer at Stripe `invoices` (`[{"status": "paid"}]`), `subscriptions`, `cards`, `tax_ids`."""
        self._post("stripe", {"customer": customer_id, **belongings})

    def stripe(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that Stripe keeps: `customers`, and `answers` to idempotency keys."""
        kept: dict[str, list[dict[str, Any]]] = self._get("stripe")
        return kept

    def suppressions(self) -> list[str]:
        """Addresses to which Resend sends nothing more."""
        return [one["email"] for one in self._get("suppressions")["suppressions"]]

    def totals(self) -> dict[str, int]:
        """Accepted requests since the last reset, by platform and method; not limited by the caps."""
        totals: dict[str, int] = self._get("health")["totals"]
        return totals

    def reset(self) -> None:
        """Forgets everything but the client secret and the redirect URIs."""
        self._post("reset", {})

    def _get(self, path: str) -> Any:
        return self._request("GET", path, None)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._request("POST", path, json.dumps(body))

    def _request(self, method: str, path: str, body: str | None) -> Any:
        connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, f"/_sandbox/{path}", body, {"content-type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(answer.get("error", str(response.status)))
        return answer
