"""Waiting times, settling times and the words shared by all publishers."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from tests.workers.providers.claims import NOW, TOKEN, claim, media
from workers.providers.base import (
    NotAccepted,
    Prepared,
    Published,
    Rejected,
    bearer,
    fingerprint,
    json_object,
    retry_after,
    send_ended,
    still_settling,
)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 24 Nov 2026 09:00:30 GMT"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"x-reset": str(int(NOW.timestamp()) + 120)}, 120.0),
        ({"x-reset": str(int(NOW.timestamp()) - 120)}, 1.0),
        ({"x-reset": "9999999999"}, 86400.0),
        ({"x-reset": "never"}, None),
        ({"retry-after": "7", "x-reset": str(int(NOW.timestamp()) + 120)}, 120.0),
        # The platform's clock counts, not ours.
        ({"date": "Tue, 24 Nov 2026 09:01:00 GMT", "x-reset": str(int(NOW.timestamp()) + 120)}, 60.0),
        ({"date": "no date", "retry-after": "3"}, 3.0),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Response(429, headers=headers), NOW, "x-reset") == seconds


@pytest.mark.parametrize(
    ("began", "ended", "left"),
    [
        (None, None, 0),
        (0, None, 60),
        (59, None, 1),
        (60, None, 0),
        (20, 5, 10),  # ended 5 s ago: 15 s after the end
        (20, 15, 0),
        (3, 200, 57),  # the note is of an older attempt
    ],
)
def test_how_long_an_unknown_attempt_settles(began: int | None, ended: int | None, left: int) -> None:
    progress = None if ended is None else send_ended(None, NOW - timedelta(seconds=ended))
    sending_at = None if began is None else NOW - timedelta(seconds=began)
    assert still_settling(claim(sending_at=sending_at, progress=progress), NOW) == pytest.approx(left)


def test_the_note_of_an_end_keeps_what_is_there() -> None:
    assert send_ended({"images": ["a"]}, NOW) == {"images": ["a"], "send_ended": NOW.timestamp()}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b"null", b"[" * 100_000])
def test_only_an_object_is_an_object(content: bytes) -> None:
    assert json_object(httpx.Response(200, content=content)) is None


def test_a_fingerprint_tells_files_apart() -> None:
    one, two = media(2), media(2, alt_text="a cat")
    assert fingerprint(one) == fingerprint(media(2))
    assert len({fingerprint(one), fingerprint(two), fingerprint(one[::-1]), fingerprint(one[:1])}) == 4


def test_nothing_personal_is_shown() -> None:
    shown = [
        repr(Prepared(claim("canary"), TOKEN, {"text": "canary"}, {"a": "canary"}, "canary")),
        repr(Rejected("code", "canary")),
        repr(NotAccepted("code", message="canary")),
        repr(Published("1", "https://canary.example")),
    ]
    assert not [text for text in shown if "canary" in text]


def test_the_header_is_made_from_the_revealed_token() -> None:
    assert bearer(TOKEN) == {"Authorization": "Bearer canary-token"}
