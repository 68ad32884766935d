"""The outside world on loopback: X, LinkedIn, YouTube, Instagram, TikTok and Resend as strict local stand-ins.

Each platform is reached under its own prefix (`/x/…`, `/linkedin/…`); the client id is `sandbox-<platform>`
and the client secret is given at start. Nothing in the workers imports this package.

    with Sandbox.start(secret=secret, redirect_uris=["http://127.0.0.1:8000/oauth/x/callback"]) as sandbox:
        SandboxControl(sandbox.url).add_fault("reset_after", platform="x", path="^/x/2/tweets$")
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.sandbox.app import SandboxApp
from workers.sandbox.client import (
    ControlError,
    HeldRequest,
    PublishedMedia,
    PublishedPost,
    ReceivedRequest,
    SandboxControl,
    SentMail,
)
from workers.sandbox.saved import Saved
from workers.sandbox.server import ThreadServer
from workers.sandbox.state import State

__all__ = [
    "ControlError",
    "HeldRequest",
    "PublishedMedia",
    "PublishedPost",
    "ReceivedRequest",
    "Sandbox",
    "SandboxControl",
    "SentMail",
]


class Sandbox:
    """A sandbox that runs in a thread of this process. Use `start`; leaving the `with` block stops it.

    Attributes:
        url: base URL, without a slash at the end.
        secret: the client secret of every platform.
        control: client of the control API.
    """

    def __init__(self, server: ThreadServer, host: str, secret: str) -> None:
        self._server = server
        self.url = f"http://{host}:{server.port}"
        self.secret = secret
        self.control = SandboxControl(self.url)

    @classmethod
    def start(
        cls,
        port: int = 0,
        secret: str | None = None,
        redirect_uris: Iterable[str] = (),
        host: str = "127.0.0.1",
        saved_in: Path | None = None,
        media_prefixes: Iterable[str] = (),
    ) -> Sandbox:
        """Starts a sandbox and returns when it answers.

        Args:
            port: 0 picks a free one.
            secret: client secret; random when None.
            redirect_uris: registered exactly as given, for every platform.
            saved_in: directory that keeps people, grants and posts for the next start; None forgets them.
            media_prefixes: beginnings of addresses that are verified with TikTok, which pulls from them.

        Raises:
            OSError: the port is taken.
            RuntimeError: the server did not come up in time.
        """
        secret = secret or secrets.token_urlsafe(32)
        app = _saved_app(State(secret, redirect_uris, media_prefixes), saved_in)
        server = ThreadServer(app, host, port)
        server.start()
        return cls(server, host, secret)

    def stop(self) -> None:
        """Closes every connection and ends the thread; safe to call twice."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _saved_app(state: State, directory: Path | None) -> SandboxApp:
    if directory is None:
        return SandboxApp(state)
    saved = Saved(directory)
    saved.restore(state)
    return SandboxApp(state, lambda: saved.save(state))
