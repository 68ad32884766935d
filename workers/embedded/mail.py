"""Catches the mail that an embedded stack sends, instead of delivering it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from workers.embedded.ports import free_port

_PORT_TRIES = 5


@dataclass(frozen=True)
class Message:
    """One caught message. `text` and `html` are empty where the message has no such part."""

    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    html: str


class MailCatcher:
    """An SMTP server on 127.0.0.1 and a free port, that keeps what it gets in memory."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._arrived = threading.Condition()
        self._controller = self._start()

    def _start(self) -> Controller:
        for _ in range(_PORT_TRIES):
            controller = Controller(self, hostname="127.0.0.1", port=free_port())
            try:
                controller.start()
            except OSError:
                continue
            return controller
        raise OSError("found no free port for the mail catcher")

    @property
    def smtp_port(self) -> int:
        return int(self._controller.port)

    @property
    def url(self) -> str:
        """`smtp://…`, to be put where a mail server is asked for."""
        return f"smtp://127.0.0.1:{self.smtp_port}"

    @property
    def messages(self) -> list[Message]:
        """Everything caught so far, oldest first."""
        with self._arrived:
            return list(self._messages)

    def wait_for(self, to: str, *, subject: str = "", seconds: float = 5.0) -> Message:
        """The newest message to an address whose subject contains `subject`, waiting for it when needed.

        Raises:
            TimeoutError: none arrived in time.
        """

        def matches(message: Message) -> bool:
            return to in message.to and subject in message.subject

        return self._wait(matches, seconds, f"no mail to {to}")

    def clear(self) -> None:
        with self._arrived:
            self._messages.clear()

    def close(self) -> None:
        self._controller.stop(no_assert=True)

    def _wait(self, matches: Callable[[Message], bool], seconds: float, complaint: str) -> Message:
        deadline = time.monotonic() + seconds
        with self._arrived:
            while True:
                for message in reversed(self._messages):
                    if matches(message):
                        return message
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{complaint} within {seconds:.0f} s")
                self._arrived.wait(left)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd for each message."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        parsed = BytesParser(policy=policy.default).parsebytes(content)
        text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
        message = Message(
            to=tuple(envelope.rcpt_tos),
            sender=envelope.mail_from or "",
            subject=str(parsed["subject"] or ""),
            text=text.get_content() if text else "",
            html=html.get_content() if html else "",
        )
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()
        return "250 Message accepted"
