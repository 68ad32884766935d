"""Every way a target can go, from claim to report, with a real publisher over a scripted platform."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.workers.providers.claims import answer
from tests.workers.publish.conftest import World
from tests.workers.publish.fakes import now
from workers.errors import (
    GrantRevokedError,
    LeaseLostError,
    ProviderRateLimitedError,
    ProviderUnavailableError,
    TransportError,
)
from workers.gateway import TargetResult
from workers.vault import VaultError

pytestmark = pytest.mark.anyio

POST = "POST /2/tweets"
TIMELINE = "GET /2/users/42/tweets"
LINKEDIN = "POST /rest/posts"
CREATED = answer(201, {"data": {"id": "777"}})
EMPTY = answer(200, {"meta": {"result_count": 0}})


def _share() -> str:
    """A share of this moment: its id says when it was made, and that must be after sending began."""
    return f"urn:li:share:{int(now().timestamp() * 1000) << 22}"


def _found() -> httpx.Response:
    post = {"id": "777", "text": "Hello", "created_at": now().isoformat()}
    return answer(200, {"data": [post], "meta": {"result_count": 1}})


async def _only_result(world: World, row: Any) -> TargetResult:
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert len(row.results) == 1
    result: TargetResult = row.results[0]
    return result


async def test_published(world: World) -> None:
    world.platform.answers[POST] = CREATED
    row = world.database.add()
    result = await _only_result(world, row)
    assert (result.outcome, result.external_id) == ("published", "777")
    assert result.external_url == "https://x.com/i/web/status/777"
    assert row.state == "published"
    names = [name for name, _ in world.database.calls if name not in ("claim_targets", "next_publish_due")]
    assert names == ["mark_sending", "report_targets"], "the mark comes before the call, the report after it"
    assert world.metric("nexora_published_total", platform_id="x") == 1
    assert world.metric("nexora_outcomes_total", platform_id="x", outcome="published", code="") == 1
    assert world.metric("nexora_queue_lag_seconds_count") == 1


@pytest.mark.parametrize(
    ("what", "outcome", "code", "wait"),
    [
        (httpx.ConnectError(""), "retry", "not_reached", None),
        (answer(429, retry_after="7"), "retry", "rate_limited", 7.0),
        (answer(402), "retry", "platform_credits", 1800),
        (answer(400, {"detail": "no"}), "rejected", "refused", None),
        (answer(403, {"detail": "duplicate content"}), "rejected", "duplicate_content", None),
        (httpx.ReadTimeout(""), "unknown", "no_answer", None),
        (httpx.RemoteProtocolError(""), "unknown", "no_answer", None),
        (answer(503), "unknown", "http_503", None),
        (answer(200, {"data": {}}), "unknown", "unreadable_answer", None),
    ],
)
async def test_what_sending_ends_in(
    what: object, outcome: str, code: str, wait: float | None, world: World
) -> None:
    world.platform.answers |= {POST: what, TIMELINE: answer(503)}
    row = world.database.add()
    async with world.running():
        await world.until(lambda: bool(row.results))
    result = row.results[0]
    assert (result.outcome, result.code, result.retry_after_seconds) == (outcome, code, wait)
    assert (result.message is not None) == (outcome == "rejected")
    assert world.metric("nexora_outcomes_total", platform_id="x", outcome=outcome, code=code) >= 1
    assert world.metric("nexora_published_total", platform_id="x") == 0


# --- tokens -------------------------------------------------------------------------------------------------


async def test_a_refused_token_is_renewed_once_and_the_post_goes_out(world: World) -> None:
    world.platform.answers[POST] = [answer(401), CREATED]
    row = world.database.add()
    assert (await _only_result(world, row)).outcome == "published"
    assert [r.headers["authorization"] for r in world.platform.sent(POST)] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert (world.tokens.renewals, world.database.revoked) == (1, [])


async def test_a_token_refused_again_after_its_renewal_ends_the_connection(world: World) -> None:
    world.platform.answers[POST] = answer(401)
    row = world.database.add()
    result = await _only_result(world, row)
    assert (result.outcome, result.code) == ("reconnect", "token_refused")
    assert world.database.revoked == [(row.connection_id, "token_refused", 2)]
    assert len(world.platform.sent(POST)) == 2


async def test_a_connection_that_cannot_be_ended_now_is_ended_next_time(world: World) -> None:
    def fail(_argument: Any) -> None:
        raise TransportError("revoke_connection", "ReadTimeout")

    world.platform.answers[POST] = answer(401)
    world.database.before["revoke_connection"] = fail
    row = world.database.add()
    result = await _only_result(world, row)
    assert (result.outcome, result.code, result.retry_after_seconds) == ("retry", "token_refused", 30.0)


@pytest.mark.parametrize(
    ("error", "outcome", "code", "wait"),
    [
        (GrantRevokedError("x", "invalid_grant"), "reconnect", "invalid_grant", None),
        (GrantRevokedError("x", "disconnected"), "reconnect", "disconnected", None),
        (ProviderUnavailableError("x", 503), "retry", "token_unavailable", None),
        (ProviderRateLimitedError("x", 429, 12.0), "retry", "token_rate_limited", 12.0),
        (LeaseLostError(""), "retry", "token_lease_lost", None),
        (TransportError("lease_token", "ReadTimeout"), "retry", "token_database_unreachable", None),
        (VaultError(), "retry", "token_unreadable", 300.0),
    ],
)
async def test_without_a_token_nothing_is_sent(
    error: Exception, outcome: str, code: str, wait: float | None, world: World
) -> None:
    world.tokens.opening = error
    row = world.database.add()
    async with world.running():
        await world.until(lambda: bool(row.results))
    result = row.results[0]
    assert (result.outcome, result.code, result.retry_after_seconds) == (outcome, code, wait)
    assert world.platform.requests == []
    assert world.database.count("mark_sending") == 0
    assert world.database.revoked == [], "the database knows already what the token keeper found out"


async def test_an_account_without_tokens(world: World) -> None:
    row = world.database.add(sealed_access="")
    assert (await _only_result(world, row)).outcome == "reconnect"


async def test_a_platform_without_publisher(world: World) -> None:
    row = world.database.add(platform_id="tiktok")
    result = await _only_result(world, row)
    assert (result.outcome, result.code, result.retry_after_seconds) == (
        "retry",
        "platform_unavailable",
        300.0,
    )


# --- files --------------------------------------------------------------------------------------------------


def _media(size: int = 5) -> list[dict[str, Any]]:
    return [{"bucket_id": "media", "object_name": "a/b.png", "mime_type": "image/png", "size_bytes": size}]


def _uploads() -> dict[str, Any]:
    return {
        "POST /2/media/upload/initialize": answer(200, {"data": {"id": "55"}}),
        "POST /2/media/upload/55/append": answer(200, {"data": {}}),
        "POST /2/media/upload/55/finalize": answer(200, {"data": {"id": "55", "expires_after_secs": 86400}}),
        POST: CREATED,
    }


async def test_files_are_fetched_uploaded_and_remembered_before_the_mark(world: World) -> None:
    world.platform.answers |= _uploads()
    world.database.files["a/b.png"] = b"bytes"
    row = world.database.add(media=_media())
    assert (await _only_result(world, row)).outcome == "published"
    names = [name for name, _ in world.database.calls if name not in ("claim_targets", "next_publish_due")]
    assert names == ["sign_file", "read_part", "save_progress", "mark_sending", "report_targets"]
    assert world.platform.body(POST) == {"text": "Hello", "media": {"media_ids": ["55"]}}


async def test_uploads_are_used_again_by_the_next_attempt(world: World) -> None:
    world.platform.answers |= _uploads() | {POST: [answer(429, retry_after="1"), CREATED]}
    world.database.files["a/b.png"] = b"bytes"
    row = world.database.add(media=_media())
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert world.database.count("read_part") == 1
    assert len(world.platform.sent("POST /2/media/upload/initialize")) == 1


async def test_a_lease_that_is_gone_before_the_mark_is_left_alone(world: World) -> None:
    world.platform.answers |= _uploads()
    world.database.files["a/b.png"] = b"bytes"
    row = world.database.add(media=_media())

    def take_over(_argument: Any) -> None:
        row.worker_id = uuid4()

    world.database.before["save_progress"] = take_over
    async with world.running():
        await world.until(lambda: world.database.count("save_progress") == 1)
        await world.until(lambda: world.metric("nexora_in_flight") == 0)
    assert world.database.count("mark_sending") == 0
    assert world.database.count("report_targets") == 0
    assert world.platform.sent(POST) == []


@pytest.mark.parametrize(
    ("content", "size", "code"),
    [(None, 5, "media_missing"), (b"longer", 5, "media_changed")],
)
async def test_files_that_cannot_be_used(content: bytes | None, size: int, code: str, world: World) -> None:
    if content is not None:
        world.database.files["a/b.png"] = content
    world.platform.answers |= _uploads()
    row = world.database.add(media=_media(size))
    result = await _only_result(world, row)
    assert (result.outcome, result.code) == ("rejected", code)
    assert result.message
    assert world.platform.sent(POST) == []


async def test_an_unreachable_storage_is_tried_again_later(world: World) -> None:
    def fail(_name: Any) -> None:
        raise TransportError("read_part", "ReadTimeout")

    world.platform.answers |= _uploads()
    world.database.files["a/b.png"] = b"bytes"
    world.database.before["read_part"] = fail
    row = world.database.add(media=_media())
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert (row.results[0].outcome, row.results[0].code) == ("retry", "database_unreachable")


async def test_a_failed_upload_is_no_post(world: World) -> None:
    world.platform.answers |= _uploads() | {"POST /2/media/upload/55/append": answer(503)}
    world.database.files["a/b.png"] = b"bytes"
    row = world.database.add(media=_media())
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert (row.results[0].outcome, row.results[0].code) == ("retry", "http_503")
    assert world.database.count("mark_sending") == 0


# --- reconciling --------------------------------------------------------------------------------------------


def _unknown(world: World, *, began: float = 120.0, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "sending_at": now() - timedelta(seconds=began),
        "attempt": 1,
        "state": "publishing",
        "sending_attempt": 1,
    }
    return world.database.add(**fields | changes)


@pytest.mark.parametrize(
    ("timeline", "outcome", "code"),
    [
        (_found, "published", None),
        (lambda: EMPTY, "retry", "not_on_timeline"),
        (lambda: answer(503), "unknown", "probe_http_503"),
        (lambda: httpx.ReadTimeout(""), "unknown", "no_answer"),
        (lambda: answer(429, retry_after="3"), "unknown", "probe_http_429"),
    ],
)
async def test_an_unknown_attempt_is_probed_and_never_sent(
    timeline: Any, outcome: str, code: str | None, world: World
) -> None:
    world.platform.answers |= {TIMELINE: timeline(), POST: CREATED}
    row = _unknown(world)
    async with world.running():
        await world.until(lambda: bool(row.results))
        result = row.results[0]
        assert (result.outcome, result.code) == (outcome, code)
        assert not [call for call, _ in world.database.calls if call == "mark_sending"] or outcome == "retry"
    if outcome != "retry":
        assert world.platform.sent(POST) == []


async def test_what_was_not_accepted_goes_out_again(world: World) -> None:
    world.platform.answers |= {TIMELINE: EMPTY, POST: CREATED}
    row = _unknown(world)
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert [result.outcome for result in row.results] == ["retry", "published"]


async def test_too_early_to_tell(world: World) -> None:
    world.platform.answers[TIMELINE] = EMPTY
    row = _unknown(world, began=30.0)
    result = await _only_result(world, row)
    assert (result.outcome, result.code) == ("unknown", "too_early")
    assert result.retry_after_seconds == pytest.approx(30, abs=2)


async def test_an_unknown_attempt_whose_grant_is_gone_is_unconfirmed(world: World) -> None:
    world.platform.answers[TIMELINE] = answer(401)
    row = _unknown(world)
    assert (await _only_result(world, row)).outcome == "unconfirmed"
    assert len(world.database.revoked) == 1
    assert world.tokens.renewals == 1


@pytest.mark.parametrize(
    "error", [ProviderUnavailableError("x", 503), VaultError(), TransportError("lease_token", "ReadTimeout")]
)
async def test_an_unknown_attempt_stays_unknown_without_a_token(error: Exception, world: World) -> None:
    world.tokens.opening = error
    row = _unknown(world)
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert row.results[0].outcome == "unknown"


async def test_an_unknown_attempt_on_a_platform_without_publisher_stays_unknown(world: World) -> None:
    row = _unknown(world, platform_id="tiktok")
    assert (await _only_result(world, row)).outcome == "unknown"


async def test_an_unanswered_send_is_noted_and_probed_soon(world: World) -> None:
    world.platform.answers |= {POST: httpx.ReadTimeout(""), TIMELINE: [EMPTY, _found()]}
    row = world.database.add()
    async with world.running():
        await world.until(lambda: len(row.results) >= 2)
        assert row.results[1].code == "too_early"
        assert row.results[1].retry_after_seconds == pytest.approx(15, abs=2), "not 60: its end is known"
        row.due_at = now()
        world.platform.answers[TIMELINE] = _found()
        await world.until(lambda: row.state == "published")
    assert len(world.platform.sent(POST)) == 1


async def test_linkedin_is_probed_by_repetition_without_a_mark(world: World) -> None:
    share = _share()
    duplicate = {"code": "DUPLICATE_POST", "message": f"Content is a duplicate of {share}"}
    world.platform.answers[LINKEDIN] = answer(422, duplicate)
    row = _unknown(world, platform_id="linkedin")
    result = await _only_result(world, row)
    assert (result.outcome, result.external_id) == ("published", share)
    assert world.database.count("mark_sending") == 0


async def test_an_unanswered_repetition_waits_before_the_next(world: World) -> None:
    world.platform.answers[LINKEDIN] = httpx.ReadTimeout("")
    row = _unknown(world, platform_id="linkedin")
    result = await _only_result(world, row)
    assert (result.outcome, result.retry_after_seconds) == ("unknown", 15.0)
    assert "send_ended" in (row.progress or {})


async def test_the_images_of_the_first_attempt_are_saved_for_the_repetition(world: World) -> None:
    world.platform.answers |= {
        "POST /rest/images": answer(
            200,
            {"value": {"uploadUrl": "https://www.linkedin.com/dms-uploads/1", "image": "urn:li:image:C4D"}},
        ),
        "PUT /dms-uploads/1": answer(201),
        LINKEDIN: [httpx.ReadTimeout(""), answer(422, {"code": "DUPLICATE_POST", "message": _share()})],
    }
    world.database.files["a/b.png"] = b"bytes"
    row = world.database.add(platform_id="linkedin", media=_media())
    async with world.running():
        await world.until(lambda: len(row.results) >= 2)
        row.sending_at = now() - timedelta(seconds=30)
        row.progress = {**(row.progress or {}), "send_ended": now().timestamp() - 20}
        row.due_at = now()
        await world.until(lambda: row.state == "published")
    first, second = world.platform.sent(LINKEDIN)
    assert first.content == second.content
    assert world.database.count("read_part") == 1


# --- faults of our own --------------------------------------------------------------------------------------


class _Broken:
    platform_id = "x"
    is_probe_sending = False
    follow_up = "none"

    async def after_send(self, claim: Any, token: Any, media: Any, published: Any) -> None:
        pass

    def __init__(self, where: str) -> None:
        self.where = where

    def _fail(self, here: str) -> None:
        if self.where == here:
            raise RuntimeError("canary")

    async def prepare(self, claim: Any, token: Any, media: Any, save: Any) -> Any:
        from workers.providers.base import Prepared

        self._fail("prepare")
        return Prepared(claim, token, {})

    async def send(self, prepared: Any) -> Any:
        self._fail("send")

    async def probe(self, claim: Any, token: Any) -> Any:
        self._fail("probe")


@pytest.mark.parametrize(
    ("where", "is_unknown", "outcome"),
    [
        ("prepare", False, "retry"),
        ("send", False, "unknown"),
        ("probe", True, "unknown"),
    ],
)
async def test_a_fault_of_ours_loses_nothing_and_repeats_nothing(
    where: str, is_unknown: bool, outcome: str, world: World
) -> None:
    world.publishers["x"] = _Broken(where)
    row = _unknown(world) if is_unknown else world.database.add()
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert (row.results[0].outcome, row.results[0].code) == (outcome, "worker_fault")
