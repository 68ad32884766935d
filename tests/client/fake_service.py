"""A service that answers as a test wants, to see what the client makes of it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER_ID = "5d6f3c1e-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Answer:
    """One answer. `drop` closes the connection instead; `delay` waits that many seconds first."""

    status: int = 200
    body: Any = None
    content_type: str = "application/json"
    drop: bool = False
    delay: float = 0


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    token: str
    body: Any


@dataclass
class FakeService:
    """Signs anybody in; other requests get the answers in the order in which they were given."""

    url: str = ""
    token_seconds: int = 3600
    answers: list[Answer] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    refreshes: int = 0

    def session(self) -> dict[str, Any]:
        """A session as Supabase Auth gives it."""
        at = "2026-01-01T00:00:00Z"
        user = {
            "id": USER_ID,
            "aud": "authenticated",
            "created_at": at,
            "app_metadata": {},
            "user_metadata": {},
        }
        return {
            "access_token": f"access-{uuid.uuid4()}",
            "refresh_token": f"refresh-{uuid.uuid4()}",
            "token_type": "bearer",
            "expires_in": self.token_seconds,
            "expires_at": int(time.time()) + self.token_seconds,
            "user": user,
        }


@contextmanager
def fake_service() -> Iterator[FakeService]:
    """Serve until the end of the block."""
    service = FakeService()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            answer = _answer(service, self, json.loads(raw) if raw else None)
            time.sleep(answer.delay)
            if answer.drop:
                self.close_connection = True
                return
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _answer(service: FakeService, handler: BaseHTTPRequestHandler, body: Any) -> Answer:
    if handler.path.startswith("/auth/v1/token"):
        service.refreshes += "refresh_token" in handler.path
        return Answer(body=service.session())
    token = handler.headers.get("authorization", "").removeprefix("Bearer ")
    service.received.append(Received(handler.command, handler.path, token, body))
    return (
        service.answers.pop(0) if service.answers else Answer(status=404, body={"message": "no answer left"})
    )
