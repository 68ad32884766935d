"""The control API under `/_sandbox`: what tests and the demo use to arrange, break and inspect the
platforms.

JSON in, JSON out; 400 with `{"error": …}` for what makes no sense. It is for this machine alone, so it asks
for no credentials; a JSON content type is required, which keeps web pages from posting to it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from workers.sandbox import pages
from workers.sandbox.consent import AutoApproval, Consent
from workers.sandbox.faults import FaultError, Faults
from workers.sandbox.limits import Limiter
from workers.sandbox.oauth_table import TABLE
from workers.sandbox.records import Records
from workers.sandbox.spool import Spool
from workers.sandbox.state import PLATFORMS, Post, State
from workers.sandbox.tiktok_files import finish_in_app
from workers.sandbox.wire import Call, Handler, RefusedError, Routes, parse_json

GALLERY_POSTS = 200
_Action = Callable[[dict[str, Any]], Awaitable[Any]]


class Control:
    """Handlers of `/_sandbox` and the gallery at `/`."""

    def __init__(
        self, state: State, records: Records, faults: Faults, consent: Consent, limiter: Limiter
    ) -> None:
        self._state = state
        self._records = records
        self._faults = faults
        self._consent = consent
        self._limiter = limiter

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/", self.gallery)
        routes.add("GET", "/_sandbox/health", self.health)
        routes.add("GET", "/_sandbox/records", self.records)
        routes.add("GET", "/_sandbox/posts", self.posts)
        routes.add("GET", "/_sandbox/people", self.people)
        routes.add("GET", "/_sandbox/faults", self.faults)
        routes.add("GET", "/_sandbox/held", self.held)
        routes.add("GET", "/_sandbox/media/{sha256}", self.media)
        routes.add("GET", "/_sandbox/avatars/{key}", self.avatar)
        routes.add("POST", "/_sandbox/consent", self._consent.decide)
        actions: dict[str, _Action] = {
            "faults": self.add_fault,
            "faults/clear": self.clear_faults,
            "release": self.release,
            "people": self.add_person,
            "revoke": self.revoke,
            "reset": self.reset,
            "clock": self.move_clock,
            "auto_approve": self.auto_approve,
            "redirect_uris": self.add_redirects,
            "approved_scopes": self.approve_scopes,
            "limits": self.set_limits,
            "metrics": self.set_metrics,
            "media_delay": self.set_media_delay,
            "youtube": self.set_youtube,
            "settings": self.change_settings,
            "finish_in_app": self.finish_in_app,
        }
        for name, action in actions.items():
            routes.add("POST", f"/_sandbox/{name}", json_action(action))

    async def gallery(self, call: Call) -> Response:
        html = pages.gallery(self._state.posts.newest(limit=GALLERY_POSTS), self._state.now())
        return HTMLResponse(html, headers=pages.SECURITY_HEADERS)

    async def health(self, call: Call) -> Response:
        return JSONResponse({"status": "ok", "now": self._state.now(), "totals": dict(self._state.totals)})

    async def records(self, call: Call) -> Response:
        query = call.query
        since = query.get("since", "0")
        number = int(since) if since.isascii() and since.isdigit() else 0
        platform, method, path = (query.get(name, "") for name in ("platform", "method", "path"))
        try:
            return JSONResponse({"records": self._records.select(platform, method, path, number)})
        except re.error as error:
            raise RefusedError(400, {"error": f"path is not a regular expression: {error}"}) from error

    async def posts(self, call: Call) -> Response:
        found = self._state.posts.newest(call.query.get("platform") or None)
        return JSONResponse({"posts": [_public(post, call.base_url, call.state.now()) for post in found]})

    async def people(self, call: Call) -> Response:
        found = [
            {
                "key": p.key,
                "name": p.name,
                "handle": p.handle,
                "accounts": {n: p.account_id(n) for n in PLATFORMS},
            }
            for p in self._state.people.values()
        ]
        return JSONResponse({"people": found})

    async def faults(self, call: Call) -> Response:
        return JSONResponse({"faults": self._faults.open()})

    async def held(self, call: Call) -> Response:
        return JSONResponse({"held": self._faults.held()})

    async def media(self, call: Call) -> Response:
        wanted = call.params["sha256"]
        shown = (m for post in self._state.posts.newest() for m in pages.shown_media(post))
        media = next((m for m in shown if m.sha256 == wanted and m.file is not None), None)
        if media is None or media.file is None:
            return JSONResponse({"error": "no such media"}, 404)
        headers = {
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
        }
        kind = media.mime_type or "application/octet-stream"
        return _streamed(call, media.file, kind, headers)

    async def avatar(self, call: Call) -> Response:
        person = self._state.people.get(call.params["key"])
        if person is None:
            return JSONResponse({"error": "no such person"}, 404)
        return Response(pages.avatar(person), media_type="image/svg+xml", headers=pages.SECURITY_HEADERS)

    async def add_fault(self, body: dict[str, Any]) -> Any:
        return {"id": self._faults.add(body).id}

    async def clear_faults(self, body: dict[str, Any]) -> Any:
        self._faults.clear()
        return {}

    async def release(self, body: dict[str, Any]) -> Any:
        return {"released": self._faults.release(body.get("id"), bool(body.get("drop")))}

    async def add_person(self, body: dict[str, Any]) -> Any:
        key, name, handle = (str(body[field]) for field in ("key", "name", "handle"))
        headline, premium = str(body.get("headline", "")), bool(body.get("x_premium"))
        person = self._state.add_person(key, name, handle, headline, premium)
        return {"key": person.key, "accounts": {name: person.account_id(name) for name in PLATFORMS}}

    async def revoke(self, body: dict[str, Any]) -> Any:
        """The person removes the application in the settings of the platform."""
        person = self._state.person(str(body["person"]))
        if person is None:
            raise ValueError("no such person")
        return {"revoked": self._state.tokens.end(_platform(body), person, "revoked")}

    async def reset(self, body: dict[str, Any]) -> Any:
        self._faults.clear()
        self._state.reset()
        self._records.clear()
        self._consent.reset()
        self._limiter.clear()
        return {}

    async def move_clock(self, body: dict[str, Any]) -> Any:
        """`offset_seconds` from the machine's clock, or `advance_seconds` from where the clock stands."""
        clock = self._state.clock
        clock.offset = float(body.get("offset_seconds", clock.offset)) + float(body.get("advance_seconds", 0))
        return {"now": clock.now()}

    async def auto_approve(self, body: dict[str, Any]) -> Any:
        """Every authorization of the platform is decided at once; `person` null ends that."""
        platform = _platform(body)
        self._consent.auto.pop(platform, None)
        if body.get("person") is not None or body.get("deny"):
            scopes = None if body.get("scopes") is None else frozenset(map(str, body["scopes"]))
            self._consent.auto[platform] = AutoApproval(
                str(body.get("person")), scopes, bool(body.get("deny"))
            )
        return {}

    async def add_redirects(self, body: dict[str, Any]) -> Any:
        for platform in [_platform(body)] if "platform" in body else PLATFORMS:
            self._state.redirect_uris[platform].update(map(str, body["uris"]))
        return {}

    async def approve_scopes(self, body: dict[str, Any]) -> Any:
        """The scopes that the platform's review gave the application."""
        platform = _platform(body)
        scopes = frozenset(map(str, body["scopes"]))
        if unknown := scopes - TABLE[platform].scopes:
            raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
        self._state.approved_scopes[platform] = scopes
        return {}

    async def set_limits(self, body: dict[str, Any]) -> Any:
        """Replaces rate limits by rule name, for example `{"x POST /2/tweets": 5}`."""
        self._state.limits.update({str(name): int(limit) for name, limit in body.items()})
        return {}

    async def set_metrics(self, body: dict[str, Any]) -> Any:
        post = self._state.posts.get(_platform(body), str(body["post_id"]))
        if post is None:
            raise ValueError("no such post")
        post.metrics.update({str(name): int(value) for name, value in body["metrics"].items()})
        return {}

    async def set_media_delay(self, body: dict[str, Any]) -> Any:
        self._state.media_delay_seconds = float(body["seconds"])
        return {}

    async def set_youtube(self, body: dict[str, Any]) -> Any:
        """See `YouTubeSettings`; what is not named stays."""
        settings = self._state.youtube
        settings.forced_private = bool(body.get("forced_private", settings.forced_private))
        if body.get("stored_bytes") is not None:
            settings.stored_bytes = int(body["stored_bytes"])
        return {}

    async def finish_in_app(self, body: dict[str, Any]) -> Any:
        """The person posts from the TikTok app what an upload put into their inbox."""
        draft = self._state.drafts.get("tiktok", str(body["publish_id"]))
        if draft is None:
            raise ValueError("no such upload")
        finish_in_app(self._state, draft)
        return {"post_id": draft.post_id}

    async def change_settings(self, body: dict[str, Any]) -> Any:
        """Facts about an account (`person`) or, without one, about the application at a platform."""
        key = (_platform(body), str(body.get("person") or ""))
        if key[1] and key[1] not in self._state.people:
            raise ValueError("no such person")
        self._state.settings.setdefault(key, {}).update(body["values"])
        return {}


def json_action(action: _Action) -> Handler:
    async def handle(call: Call) -> Response:
        if call.content_type != "application/json":
            raise RefusedError(415, {"error": "content-type must be application/json"})
        try:
            body = parse_json(call.body)
            if not isinstance(body, dict):
                raise FaultError("an object is expected")
            return JSONResponse(await action(body))
        except KeyError as error:
            raise RefusedError(400, {"error": f"{error.args[0]} is missing"}) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise RefusedError(400, {"error": str(error)}) from error

    return handle


_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


def _streamed(call: Call, file: Spool, kind: str, headers: dict[str, str]) -> Response:
    """A file, or the one range of it that a player asks for (RFC 9110 section 14)."""
    headers = {**headers, "accept-ranges": "bytes"}
    match = _RANGE.fullmatch(call.headers.get("range", ""))
    start = int(match[1]) if match else 0
    end = min(file.size, int(match[2]) + 1) if match and match[2] else file.size
    if match and start >= end:
        return Response(status_code=416, headers={"content-range": f"bytes */{file.size}"})
    if match:
        headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["content-length"] = str(end - start)
    return StreamingResponse(file.chunks(start, end), 206 if match else 200, headers, kind)


def _platform(body: dict[str, Any]) -> str:
    platform = str(body["platform"])
    if platform not in PLATFORMS:
        raise ValueError(f"platform must be one of {', '.join(PLATFORMS)}")
    return platform


def _public(post: Post, base_url: str, now: float) -> dict[str, Any]:
    """A post as anybody sees it, plus what the API answered (`api_text`) and what the client sent."""
    return {
        "id": post.id,
        "platform": post.platform,
        "person": post.person.key,
        "account_id": post.person.account_id(post.platform),
        "handle": post.person.handle,
        "created_at": post.created_at,
        "text": pages.public_text(post),
        "api_text": post.text,
        "sent_text": post.sent_text,
        "url": post.url,
        "metrics": post.metrics,
        "is_cut": bool(post.extra.get("is_cut")),
        "reply_to": post.extra.get("reply_to") or None,
        "details": pages.details(post, now),
        "comments": [comment.text for comment in post.comments],
        "media": [
            {
                "id": m.id,
                "mime_type": m.mime_type,
                "bytes": m.file.size if m.file else m.total_bytes,
                "sha256": m.sha256,
                "alt_text": m.alt_text,
                "url": f"{base_url}/_sandbox/media/{m.sha256}",
            }
            for m in post.media
        ],
    }
