"""A page that shows the mail that an embedded stack caught, newest first. For this machine alone."""

from __future__ import annotations

import html
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import Template
from typing import Final

from workers.embedded.mail import MailCatcher, Message

_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1b22; --soft: #6a6775; --paper: #fbfaf8; --card: #fff; --line: #e7e4df }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f1eff6; --soft: #a5a1b2; --paper: #141318; --card: #1d1c23; --line: #2f2d38 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 ui-sans-serif, system-ui, sans-serif }
main { max-width: 44rem; margin: 0 auto }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.25; letter-spacing: -.015em }
.lead { margin: 0 0 1.75rem; color: var(--soft) }
article { margin: 0 0 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 1.1rem;
  overflow: hidden }
header { padding: 1rem 1.25rem; border-bottom: 1px solid var(--line) }
h2 { margin: 0; font-size: 1.05rem; line-height: 1.4; overflow-wrap: anywhere }
header p { margin: .15rem 0 0; color: var(--soft); font-size: .875rem; overflow-wrap: anywhere }
pre { margin: 0; padding: 1.25rem; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere }
iframe { display: block; width: 100%; height: 22rem; border: 0; background: #fff }
.empty { padding: 3rem 1.25rem; text-align: center; color: var(--soft); border: 1px dashed var(--line);
  border-radius: 1.1rem }
"""

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10"><title>$title</title><style>$style</style></head>
<body><main><h1>Inbox</h1>
<p class="lead">Mail that this stack would have sent. It goes nowhere, and is gone when the stack stops.</p>
$messages</main></body></html>
""")
_MESSAGE: Final = Template("""<article><header><h2>$subject</h2><p>to $to · from $sender</p></header>
$body</article>
""")
# Links of a mail open in a tab of their own; nothing else of it runs or loads.
_HTML_BODY: Final = Template(
    '<iframe title="$subject" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="$content"></iframe>'
)
_LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost"})


class Inbox:
    """The page, on 127.0.0.1 and a free port, until `close`.

    Attributes:
        url: where a browser finds it.
    """

    def __init__(self, mail: MailCatcher) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(mail))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def render(messages: list[Message]) -> str:
    """The page as HTML, the newest of `messages` (oldest first) on top."""
    cards = "".join(_card(message) for message in reversed(messages))
    title = f"Inbox ({len(messages)})"
    return _PAGE.substitute(title=title, style=_STYLE, messages=cards or '<p class="empty">No mail yet.</p>')


def _card(message: Message) -> str:
    subject = html.escape(message.subject or "(no subject)")
    if message.html:
        content = html.escape(f'<base target="_blank">{message.html}')
        body = _HTML_BODY.substitute(subject=subject, content=content)
    else:
        body = f"<pre>{html.escape(message.text)}</pre>"
    to, sender = html.escape(", ".join(message.to)), html.escape(message.sender)
    return _MESSAGE.substitute(subject=subject, to=to, sender=sender, body=body)


def _handler(mail: MailCatcher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page elsewhere that lets its own name point here must not read mail (DNS rebinding).
            if self.headers.get("Host", "").split(":")[0] not in _LOCAL_NAMES:
                self._answer(HTTPStatus.FORBIDDEN, "")
            elif self.path != "/":
                self._answer(HTTPStatus.NOT_FOUND, "")
            else:
                self._answer(HTTPStatus.OK, render(mail.messages))

        def _answer(self, status: HTTPStatus, page: str) -> None:
            content = page.encode()
            self.send_response(status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  named by http.server
            """Nothing: who looks at the inbox is nobody's business."""

    return Handler
