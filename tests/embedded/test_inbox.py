"""The page of caught mails: shows them, runs nothing of theirs, and answers this machine alone."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest

from workers.embedded.inbox import Inbox, render
from workers.embedded.mail import MailCatcher, Message


@pytest.fixture
def mail() -> Iterator[MailCatcher]:
    catcher = MailCatcher()
    yield catcher
    catcher.close()


@pytest.fixture
def url(mail: MailCatcher) -> Iterator[str]:
    inbox = Inbox(mail)
    yield inbox.url
    inbox.close()


def send(mail: MailCatcher, subject: str, text: str, html: str = "") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "auth@nexora.test", "ada@people.example", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", mail.smtp_port) as server:
        server.send_message(message)


def test_an_empty_inbox_says_so(url: str) -> None:
    assert "No mail yet." in httpx.get(url).text


def test_mails_are_shown_newest_first(mail: MailCatcher, url: str) -> None:
    send(mail, "Confirm your address", "Your code is 123456")
    send(mail, "Welcome", "Hello", "<p>Hello <a href='https://front.example/start'>start</a></p>")
    page = httpx.get(url).text
    assert page.index("Welcome") < page.index("Confirm your address")
    assert "Your code is 123456" in page
    assert "ada@people.example" in page
    assert "&lt;a href=" in page, "the mail's own markup stays inside its frame"
    assert "<title>Inbox (2)</title>" in page


def test_nothing_of_a_mail_becomes_markup_of_the_page() -> None:
    evil = "<script>alert(1)</script>\"'"
    page = render([Message((evil,), evil, evil, evil, ""), Message((evil,), evil, evil, "", evil)])
    assert "<script" not in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page


def test_the_page_runs_and_loads_nothing(url: str) -> None:
    answer = httpx.get(url)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_only_this_machine_is_answered(url: str) -> None:
    """A name elsewhere that was made to point here (DNS rebinding) gets nothing."""
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(url + "other").status_code == 404
    assert httpx.post(url).status_code == 501


def test_it_ends(mail: MailCatcher) -> None:
    inbox = Inbox(mail)
    inbox.close()
    with pytest.raises(httpx.TransportError):
        httpx.get(inbox.url)
