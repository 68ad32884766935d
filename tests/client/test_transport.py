"""What the client makes of answers, of no answer, and of tokens that end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest
from postgrest import APIError

from nexora_client import NexoraClient, errors
from tests.client.fake_service import Answer, FakeService, fake_service

AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
ACCOUNT = {
    "user_id": str(uuid4()),
    "email": "ada@people.example",
    "state": "active",
    "birth_year": 1990,
    "guardian_consent_at": None,
    "created_at": "2026-01-01T00:00:00+00:00",
}


def refusal(status: int, code: str) -> Answer:
    return Answer(status, {"code": code, "message": "No", "hint": "Do otherwise.", "details": None})


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


@pytest.fixture
def client(service: FakeService) -> Iterator[NexoraClient]:
    """A client that is signed in."""
    with NexoraClient(service.url, "sb_publishable_test", http_timeout=0.5) as one:
        service.answers.append(Answer(body=[ACCOUNT]))
        one.account.sign_in("ada@people.example", "a password")
        service.received.clear()
        yield one


def test_a_secret_key_is_refused() -> None:
    with pytest.raises(errors.Misconfigured, match="publishable"):
        NexoraClient("http://127.0.0.1:1", "sb_secret_test")


@pytest.mark.parametrize("url", ["", "127.0.0.1:1", "ftp://127.0.0.1"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.Misconfigured):
        NexoraClient(url, "sb_publishable_test")


def test_without_a_session_nothing_is_sent(service: FakeService) -> None:
    with NexoraClient(service.url, "sb_publishable_test") as visitor:
        with pytest.raises(errors.NotSignedIn):
            visitor.profile.get()
        with pytest.raises(errors.NotSignedIn):
            visitor.content.media.upload(b"x", "image/png")
        with pytest.raises(errors.NotSignedIn):
            _ = visitor.user_id
    assert service.received == []


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        (refusal(400, "NX411"), errors.ValidationFailed, "NX411"),
        (refusal(403, "42501"), errors.Forbidden, "42501"),
        (refusal(401, "PGRST301"), errors.NotSignedIn, "PGRST301"),
        (refusal(503, "PGRST002"), errors.ServiceUnavailable, "PGRST002"),
        (Answer(502, "<html>Bad gateway</html>", "text/html"), errors.ServiceUnavailable, "502"),
        (Answer(429, "slow down", "text/plain"), errors.RateLimited, "429"),
        (refusal(400, "NX998"), errors.NexoraError, "NX998"),  # a rule that is newer than this client
    ],
)
def test_refusals(
    service: FakeService, client: NexoraClient, answer: Answer, expected: type[errors.NexoraError], code: str
) -> None:
    service.answers.append(answer)
    with pytest.raises(expected) as caught:
        client.account.sessions()
    assert type(caught.value) is expected
    assert caught.value.code == code
    assert isinstance(caught.value.__cause__, APIError)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=[{"id": "no uuid"}]),
        Answer(body=[42]),
        Answer(body="<html>", content_type="text/html"),
        Answer(body='{"half', content_type="application/json"),
    ],
)
def test_an_answer_that_does_not_fit(service: FakeService, client: NexoraClient, answer: Answer) -> None:
    service.answers.append(answer)
    with pytest.raises(errors.UnexpectedAnswer) as caught:
        client.connections.list()
    assert caught.value.__cause__ is not None


def test_an_instant_without_time_zone_is_not_sent(service: FakeService, client: NexoraClient) -> None:
    with pytest.raises(errors.ValidationFailed, match="time zone"):
        client.publishing.schedule(uuid4(), AT.replace(tzinfo=None))
    assert service.received == []


def test_no_answer_in_time(service: FakeService, client: NexoraClient) -> None:
    service.answers.append(Answer(delay=1, drop=True))
    with pytest.raises(errors.TimedOut) as caught:
        client.account.sessions()
    assert isinstance(caught.value.__cause__, httpx.TimeoutException)


def test_a_dropped_connection(service: FakeService, client: NexoraClient) -> None:
    service.answers.append(Answer(drop=True))
    with pytest.raises(errors.TransportError) as caught:
        client.content.posts.create("A text.")
    assert not isinstance(caught.value, errors.TimedOut)
    assert len(service.received) == 1, "a call without idempotency key is sent once"


def test_nobody_there() -> None:
    with (
        NexoraClient("http://127.0.0.1:9", "sb_publishable_test") as client,
        pytest.raises(errors.TransportError) as caught,
    ):
        client.account.sign_in("ada@people.example", "a password")
    assert caught.value.__cause__ is not None


def test_a_call_with_idempotency_key_is_repeated_with_the_same_key(
    service: FakeService, client: NexoraClient
) -> None:
    service.answers += [Answer(drop=True), Answer(drop=True), Answer(body=[])]
    assert client.publishing.schedule(uuid4(), AT) == ()
    keys = {UUID(request.body["p_idempotency_key"]) for request in service.received}
    assert (len(service.received), len(keys)) == (3, 1)


def test_a_call_with_idempotency_key_is_not_repeated_for_ever(
    service: FakeService, client: NexoraClient
) -> None:
    service.answers += [Answer(drop=True)] * 9
    with pytest.raises(errors.TransportError):
        client.publishing.publish_now(uuid4())
    assert len(service.received) == 3


def test_a_refusal_is_not_repeated(service: FakeService, client: NexoraClient) -> None:
    service.answers.append(Answer(409, {"code": "NX003", "message": "Used"}))
    key = uuid4()
    with pytest.raises(errors.IdempotencyKeyReused):
        client.publishing.publish_now(uuid4(), idempotency_key=key)
    assert [request.body["p_idempotency_key"] for request in service.received] == [str(key)]


def test_a_token_that_is_about_to_expire_is_renewed_before_the_call(service: FakeService) -> None:
    service.token_seconds = 5
    with NexoraClient(service.url, "sb_publishable_test") as client:
        service.answers.append(Answer(body=[ACCOUNT]))
        client.account.sign_in("ada@people.example", "a password")
        service.token_seconds = 3600
        service.answers += [Answer(body=[]), Answer(body=[])]
        client.connections.list()
        client.connections.list()
    assert [request.token.startswith("access-") for request in service.received] == [True] * 3
    assert len({request.token for request in service.received[1:]}) == 1


def test_threads_renew_a_token_once(service: FakeService, client: NexoraClient) -> None:
    session = client._transport.supabase.auth.get_session()
    assert session is not None
    session.expires_at = 1
    client._transport.supabase.auth._save_session(session)
    service.answers += [Answer(body=[])] * 8
    threads = [threading.Thread(target=client.connections.list) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.refreshes == 1
    assert len(service.received) == 8


def test_no_thread_outlives_the_client(service: FakeService, client: NexoraClient) -> None:
    client.close()
    assert [thread.name for thread in threading.enumerate() if isinstance(thread, threading.Timer)] == []


def test_waiting_survives_a_lost_answer(service: FakeService, client: NexoraClient) -> None:
    service.answers += [Answer(drop=True), Answer(body=[])]
    with pytest.raises(errors.NotFound, match="no targets"):
        client.publishing.wait_until_settled(uuid4(), timeout=5, poll_seconds=0.01)
    assert len(service.received) == 2
