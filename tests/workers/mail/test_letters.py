"""Every template of the database can be written, drawn as HTML and text, and fetches nothing (P5.1)."""

from __future__ import annotations

import re

import psycopg
import pytest

from workers.mail.layout import Rendered, render
from workers.mail.letters import LETTERS, Places, UnwritableError, write

PLACES = Places("https://worker.example", "https://app.example")
AT = "2026-12-20T09:00:00+00:00"
PARAMS: dict[str, dict[str, object]] = {
    "password_changed": {},
    "erasure_requested": {"erase_at": AT},
    "erasure_completed": {},
    "export_ready": {"expires_at": AT},
    "right_answered": {"kind": "access", "received_at": AT},
    "guardian_request": {
        "child": "<b>Kim</b>",
        "expires_at": AT,
        "confirm_token": "a" * 64,
        "revoke_token": "b" * 64,
    },
    "incident": {"title": "T", "happened": "H", "affected": "A", "doing": "D", "advice": "V", "aware_at": AT},
    "invoice_issued": {"number": "2026-0001", "amount_minor": 123450, "currency": "EUR", "issued_at": AT},
    "policy_change": {
        "summary": "S",
        "version": 3,
        "url": "https://app.example/privacy?v=3&x=1",
        "effective_at": AT,
    },
    "notice": {"title": "A post failed", "advice": "Open it."},
    "news": {"subject": "News", "body": "First.\n\nSecond."},
}


def _drawn(template: str, *, unsubscribe_url: str | None = None) -> Rendered:
    letter = write(template, PARAMS[template], PLACES)
    return render(letter, name="Ada <script>", reason="You asked.", unsubscribe_url=unsubscribe_url)


def test_database_and_package_know_the_same_templates(db: psycopg.Connection) -> None:
    known = {row[0] for row in db.execute("select id from private.mail_templates")}
    assert known == set(LETTERS) == set(PARAMS)


@pytest.mark.parametrize("template", LETTERS)
def test_a_mail_says_the_same_in_html_and_text(template: str) -> None:
    drawn, letter = _drawn(template), write(template, PARAMS[template], PLACES)
    plain = " ".join(drawn.text.split())
    for part in letter.paragraphs:
        assert " ".join(part.split()) in plain
    assert letter.title.upper() in plain
    if letter.button:
        assert letter.button[1] in drawn.text
        assert letter.button[1].replace("&", "&amp;") in drawn.html
    assert max(len(line) for line in drawn.text.splitlines() if "http" not in line) <= 76


@pytest.mark.parametrize("template", LETTERS)
def test_a_mail_fetches_nothing_and_runs_nothing(template: str) -> None:
    drawn = _drawn(template, unsubscribe_url="https://worker.example/mail/unsubscribe?token=x")
    assert not re.search(
        r"<(img|script|link|iframe|object|video|svg)\b|url\(|@import|\ssrc=|background=", drawn.html
    )
    assert "prefers-color-scheme: dark" in drawn.html
    assert "<script>" not in drawn.html
    assert "Hello Ada &lt;script&gt;," in drawn.html


@pytest.mark.parametrize("template", LETTERS)
def test_the_same_values_give_the_same_mail(template: str) -> None:
    """The idempotency key stands for one payload."""
    assert _drawn(template) == _drawn(template)


def test_markup_of_people_stays_text() -> None:
    drawn = _drawn("guardian_request")
    assert "&lt;b&gt;Kim&lt;/b&gt;" in drawn.html
    assert drawn.subject == "<b>Kim</b> asks for your consent"


def test_no_line_break_gets_into_a_subject() -> None:
    letter = write("news", {"subject": "A\r\nBcc: x@example.org", "body": "B"}, PLACES)
    assert render(letter, name=None, reason="", unsubscribe_url=None).subject == "A Bcc: x@example.org"


def test_without_a_front_end_there_is_no_button_to_it() -> None:
    assert write("notice", PARAMS["notice"], Places("https://worker.example")).button is None


@pytest.mark.parametrize(
    ("template", "params"),
    [("gossip", {}), ("notice", {"title": "canary"}), ("export_ready", {"expires_at": "canary"})],
)
def test_what_cannot_be_written_quotes_no_value(template: str, params: dict[str, object]) -> None:
    with pytest.raises(UnwritableError) as caught:
        write(template, params, PLACES)
    assert "canary" not in str(caught.value)
