"""A web server on loopback that serves given bytes, for platforms that fetch files themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `files` by path (`/a.jpg`); `redirects` answers 302. `asked` are the paths that were fetched."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []

    def add(self, name: str, data: bytes) -> str:
        """Serves bytes; answers their URL."""
        self.files[f"/{name}"] = data
        return f"{self.base}/{name}"

    def redirect(self, name: str, to: str) -> str:
        """Answers 302 to another place; answers its URL."""
        self.redirects[f"/{name}"] = to
        return f"{self.base}/{name}"

    def clear(self) -> None:
        """Forgets everything."""
        self.files.clear()
        self.redirects.clear()
        self.asked.clear()


@contextmanager
def serving_files() -> Iterator[FileServer]:
    """Runs a server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            data = served.files.get(self.path)
            target = served.redirects.get(self.path)
            self.send_response(302 if target else 404 if data is None else 200)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = FileServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
