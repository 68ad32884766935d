"""TikTok: what `status/fetch` says about an earlier attempt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import NOW, TOKEN, answer
from tests.workers.providers.tiktok_script import (
    LATER,
    STATUS,
    complete,
    publisher,
    refused,
    script,
    told,
    unknown,
)
from workers.providers.base import NeedsReconnect, NotAccepted, Outcome, Published, Rejected, Unknown

pytestmark = pytest.mark.anyio


async def probe(response: Any, now: Any = LATER, **changes: Any) -> Outcome:
    return await publisher(script(status=response), now).probe(unknown(**changes), TOKEN)


async def test_a_post_that_is_out() -> None:
    platform = script(status=complete(7400))
    outcome = await publisher(platform).probe(unknown(), TOKEN)
    assert outcome == Published("7400", "https://www.tiktok.com/@maya/video/7400")
    assert platform.body(STATUS) == {"publish_id": "v_pub_file~v2-1.1"}
    progress = {"publish_id": "v_pub_file~v2-1.1"}
    assert await probe(complete(7400), progress=progress) == Published("7400")
    assert await probe(told("SEND_TO_USER_INBOX")) == Published("v_pub_file~v2-1.1", notice="waits_in_inbox")


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("file_format_check_failed", Rejected, "media_refused"),
        ("duration_check_failed", Rejected, "media_refused"),
        ("frame_rate_check_failed", Rejected, "media_refused"),
        ("picture_size_check_failed", Rejected, "media_refused"),
        ("publish_cancelled", Rejected, "cancelled"),
        ("auth_removed", Rejected, "auth_removed"),
        ("spam_risk", Rejected, "blocked"),
        ("spam_risk_text", Rejected, "blocked"),
        ("spam_risk_user_banned_from_posting", Rejected, "account_restricted"),
        ("spam_risk_too_many_posts", NotAccepted, "rate_limited"),
        ("internal", NotAccepted, "platform_error"),
        ("video_pull_failed", NotAccepted, "media_not_fetched"),
        ("photo_pull_failed", NotAccepted, "media_not_fetched"),
        ("something_new", Rejected, "refused"),
        (None, Rejected, "refused"),
    ],
)
async def test_a_post_that_failed(reason: str | None, kind: type[Outcome], code: str) -> None:
    outcome = await probe(told("FAILED", fail_reason=reason))
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code


async def test_a_last_chunk_that_never_arrived() -> None:
    missing = told("PROCESSING_UPLOAD", uploaded_bytes=999)
    assert await probe(missing, NOW) == Unknown("too_early", retry_after=60.0)
    assert await probe(missing) == NotAccepted("upload_incomplete")


@pytest.mark.parametrize(
    ("response", "after", "expected"),
    [
        (told("PROCESSING_UPLOAD", uploaded_bytes=1000), 5, Unknown("processing", retry_after=15.0)),
        (told("PROCESSING_UPLOAD", uploaded_bytes=1000), 300, Unknown("processing", retry_after=300.0)),
        (told("PROCESSING_DOWNLOAD", downloaded_bytes=1), 5000, Unknown("processing", retry_after=1800.0)),
        (told("SOMETHING_NEW"), 5, Unknown("processing", retry_after=15.0)),
    ],
)
async def test_a_post_that_is_worked_on(response: httpx.Response, after: int, expected: Outcome) -> None:
    assert await probe(response, NOW + timedelta(seconds=after)) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.ReadTimeout("lost"), Unknown("no_answer")),
        (answer(500), Unknown("probe_500", http_status=500)),
        (refused(429, "rate_limit_exceeded"), Unknown("probe_rate_limit_exceeded", 60.0, 429)),
        (refused(400, "invalid_publish_id"), Unknown("probe_invalid_publish_id", None, 400)),
        (refused(401, "access_token_invalid"), NeedsReconnect("token_refused", 401)),
    ],
)
async def test_a_state_that_cannot_be_read(response: Any, expected: Outcome) -> None:
    assert await probe(response) == expected


async def test_an_attempt_of_which_nothing_is_known() -> None:
    assert await probe(complete(), sending_at=None) == NotAccepted("never_sent")
    assert await probe(complete(), progress={"creator": "maya"}) == Unknown("publish_id_unknown", 5.0)
