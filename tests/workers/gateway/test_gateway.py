"""One method per worker function, typed rows, repeats only where they are harmless, nothing secret out."""

from __future__ import annotations

import inspect
import json
import pathlib
import re
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from workers.errors import (
    ConnectionRuleError,
    ContractMismatchError,
    DatabaseBusyError,
    FileChangedError,
    FileMissingError,
    NotSentError,
    PublishingRuleError,
    StorageError,
    TransportError,
)
from workers.gateway import Gateway, JobResult, RevocationResult, SealedRecord, TargetResult
from workers.gateway import client as module
from workers.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ROOT = pathlib.Path(__file__).resolve().parents[3]
KEY = "sb_secret_canary"
WORKER = UUID("00000000-0000-4000-8000-000000000001")
TARGET = UUID("00000000-0000-4000-8000-000000000002")
FILE = "person/canary.jpg"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "wait_random_exponential", lambda **_: lambda _state: 0)


@asynccontextmanager
async def _gateway(answer: Answer) -> AsyncIterator[Gateway]:
    settings = WorkerSettings(
        supabase_url="https://project.example",
        supabase_secret_key=SecretStr(KEY),
        token_keyring=SecretStr("unused"),
        public_url="https://worker.example",
    )
    opened = Gateway.open(settings, transport=httpx.MockTransport(answer))
    yield opened
    await opened.aclose()


class Script:
    """Answers requests in order and keeps them."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json=answer)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def _refusal(code: str, status: int = 400) -> httpx.Response:
    body = {"code": code, "message": "canary message", "hint": "do this", "details": "canary detail"}
    return httpx.Response(status, json=body)


CLAIM = {
    "target_id": str(TARGET),
    "attempt": 1,
    "mode": "publish",
    "user_id": str(TARGET),
    "connection_id": str(TARGET),
    "platform_id": "x",
    "external_account_id": "42",
    "text": "canary text",
    "options": {},
    "media": [
        {
            "bucket_id": "media",
            "object_name": "a/b.jpg",
            "mime_type": "image/jpeg",
            "size_bytes": 10,
            "alt_text": "canary alt",
            "width": None,
            "height": None,
        }
    ],
    "scopes": ["tweet.write"],
    "sealed_access": "canary sealed",
    "generation": 3,
    "access_expires_at": "2026-11-24T10:00:00+00:00",
    "scheduled_at": "2026-11-24T09:00:00.123456+00:00",
    "sending_at": None,
    "progress": None,
    "a_column_of_a_later_version": 1,
}


async def test_a_claim_is_typed_and_shows_nothing_personal() -> None:
    script = Script([CLAIM])
    async with _gateway(script) as gateway:
        since = datetime(2026, 11, 24, 8, tzinfo=UTC)
        rows = await gateway.claim_targets(WORKER, 50, since, [TARGET])
    request = script.requests[0]
    assert (request.method, request.url.path) == ("POST", "/rest/v1/rpc/claim_targets")
    assert request.headers["content-profile"] == "worker"
    assert request.headers["apikey"] == KEY
    assert script.bodies == [
        {
            "p_worker_id": str(WORKER),
            "p_limit": 50,
            "p_since": "2026-11-24T08:00:00+00:00",
            "p_busy": [str(TARGET)],
        }
    ]
    row = rows[0]
    assert (row.target_id, row.attempt, row.generation, row.scopes) == (TARGET, 1, 3, ("tweet.write",))
    assert row.scheduled_at.tzinfo is not None
    assert row.media[0].size_bytes == 10
    assert "canary" not in repr(row)


@pytest.mark.parametrize("field", ["sealed_access", "generation"])
async def test_a_target_whose_account_is_gone_can_still_be_read(field: str) -> None:
    async with _gateway(Script([CLAIM | {field: None}])) as gateway:
        rows = await gateway.claim_targets(WORKER, 1)
    assert getattr(rows[0], field) in ("", 0)


async def test_an_answer_of_another_shape_names_fields_and_no_values() -> None:
    async with _gateway(Script([CLAIM | {"attempt": "canary"}])) as gateway:
        with pytest.raises(ContractMismatchError) as caught:
            await gateway.claim_targets(WORKER, 1)
    assert caught.value.code == module.UNREADABLE_ANSWER
    assert "attempt" in caught.value.message
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (_refusal("NX210"), ConnectionRuleError),
        (_refusal("NX420"), PublishingRuleError),
        (_refusal("PGRST202", 404), ContractMismatchError),
        (httpx.Response(502, text="<html>canary</html>"), TransportError),
        (httpx.Response(500, json={"message": "canary"}), TransportError),
        (httpx.ReadTimeout("canary"), TransportError),
        (httpx.ConnectError("canary"), NotSentError),
        (httpx.Response(200, text="canary, no JSON"), ContractMismatchError),
    ],
)
async def test_what_goes_wrong_becomes_one_of_our_errors_without_values(
    answer: object, kind: type[Exception]
) -> None:
    async with _gateway(Script(answer)) as gateway:
        with pytest.raises(kind) as caught:
            await gateway.heartbeat(WORKER)
    assert type(caught.value) is kind
    shown = "".join(traceback.format_exception(caught.value))
    assert "canary" not in shown
    assert KEY not in shown


async def test_the_registrys_message_and_hint_are_kept() -> None:
    async with _gateway(Script(_refusal("NX212"))) as gateway:
        with pytest.raises(ConnectionRuleError) as caught:
            await gateway.resolve_connection(TARGET, "42")
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "NX212",
        "canary message",
        "do this",
    )


Call = Callable[[Gateway], Any]
CLAIMS: dict[str, Call] = {
    "claim_targets": lambda g: g.claim_targets(WORKER, 1),
    "claim_jobs": lambda g: g.claim_jobs(WORKER, "refresh", 1),
    "claim_revocations": lambda g: g.claim_revocations(WORKER, 1),
    "redeem_ticket": lambda g: g.redeem_ticket("a", "b", "c", "d"),
    "consume_oauth_state": lambda g: g.consume_oauth_state("a", "b"),
    "record_guardian_consent": lambda g: g.record_guardian_consent(TARGET, "m", "e"),
}
REPEATABLE: dict[str, tuple[Call, object]] = {
    "heartbeat": (lambda g: g.heartbeat(WORKER), True),
    "stop_worker": (lambda g: g.stop_worker(WORKER), 0),
    "mark_sending": (lambda g: g.mark_sending(WORKER, [(TARGET, 1, None)]), [str(TARGET)]),
    "save_progress": (lambda g: g.save_progress(WORKER, TARGET, 1, {}), True),
    "report_targets": (lambda g: g.report_targets(WORKER, [TargetResult(TARGET, 1, "published")]), []),
    "finish_jobs": (lambda g: g.finish_jobs(WORKER, [JobResult("refresh", TARGET, 1, "done")]), []),
    "report_revocations": (lambda g: g.report_revocations(WORKER, [RevocationResult(TARGET, 1, "done")]), 1),
    "next_publish_due": (lambda g: g.next_publish_due(), None),
    "next_job_due": (lambda g: g.next_job_due("refresh"), None),
    "run_housekeeping": (lambda g: g.run_housekeeping(), []),
}


@pytest.mark.parametrize("name", sorted(CLAIMS))
async def test_what_must_happen_once_is_not_repeated_after_a_lost_answer(name: str) -> None:
    script = Script(httpx.ReadTimeout(""))
    async with _gateway(script) as gateway:
        with pytest.raises(TransportError):
            await CLAIMS[name](gateway)
    assert len(script.requests) == 1


@pytest.mark.parametrize("name", sorted(CLAIMS))
@pytest.mark.parametrize("first", [httpx.ConnectError(""), _refusal("40P01", 500)])
async def test_what_surely_did_not_happen_is_repeated(name: str, first: object) -> None:
    script = Script(first, _refusal("NX210"))
    async with _gateway(script) as gateway:
        with pytest.raises(ConnectionRuleError):
            await CLAIMS[name](gateway)
    assert len(script.requests) == 2


@pytest.mark.parametrize("name", sorted(REPEATABLE))
@pytest.mark.parametrize(
    "first", [httpx.ReadTimeout(""), httpx.ConnectError(""), httpx.Response(502), _refusal("57014", 500)]
)
async def test_what_is_harmless_is_repeated(name: str, first: object) -> None:
    call, answer = REPEATABLE[name]
    script = Script(first, httpx.Response(200, json=answer))
    async with _gateway(script) as gateway:
        await call(gateway)
    assert len(script.requests) == 2


async def test_repeats_end() -> None:
    script = Script(_refusal("40001", 500))
    async with _gateway(script) as gateway:
        with pytest.raises(DatabaseBusyError):
            await gateway.heartbeat(WORKER)
    assert len(script.requests) == 4


async def test_a_refusal_is_not_repeated() -> None:
    script = Script(_refusal("NX420"))
    async with _gateway(script) as gateway:
        with pytest.raises(PublishingRuleError):
            await gateway.report_targets(WORKER, [])
    assert len(script.requests) == 1


async def test_results_leave_out_what_they_do_not_say() -> None:
    script = Script([{"target_id": str(TARGET), "accepted": True, "state": "published"}])
    async with _gateway(script) as gateway:
        answers = await gateway.report_targets(
            WORKER, [TargetResult(TARGET, 2, "retry", code="rate_limited", retry_after_seconds=3.5)]
        )
    assert script.bodies[0]["p_results"] == [
        {
            "target_id": str(TARGET),
            "attempt": 2,
            "outcome": "retry",
            "code": "rate_limited",
            "retry_after_seconds": 3.5,
        }
    ]
    assert answers[0].accepted


@pytest.mark.parametrize("answer", [[str(TARGET)], [{"mark_sending": str(TARGET)}]])
async def test_sets_of_scalars_come_bare_or_wrapped(answer: object) -> None:
    async with _gateway(Script(answer)) as gateway:
        assert await gateway.mark_sending(WORKER, [(TARGET, 1, "key")]) == {TARGET}


@pytest.mark.parametrize("answer", [str(WORKER), [str(WORKER)], {"register_worker": str(WORKER)}])
async def test_scalars_come_bare_or_wrapped(answer: object) -> None:
    async with _gateway(Script(answer)) as gateway:
        assert await gateway.register_worker("w", "https://w.example", []) == WORKER


@pytest.mark.parametrize(
    ("answer", "due"),
    [(None, None), ("2026-11-24T09:00:00+00:00", datetime(2026, 11, 24, 9, tzinfo=UTC)), ([], None)],
)
async def test_no_due_time_is_none(answer: object, due: datetime | None) -> None:
    async with _gateway(Script(httpx.Response(200, json=answer))) as gateway:
        assert await gateway.next_publish_due() == due


async def test_rewrapping_hands_back_what_was_read() -> None:
    script = Script(True)
    record = SealedRecord(
        table_name="token_vault",
        row_id=TARGET,
        connection_id=TARGET,
        platform_id="x",
        generation=1,
        field="access",
        sealed="old",
    )
    async with _gateway(script) as gateway:
        assert await gateway.rewrap_token(record, "new")
    assert script.bodies == [
        {
            "p_table": "token_vault",
            "p_row_id": str(TARGET),
            "p_field": "access",
            "p_old": "old",
            "p_new": "new",
        }
    ]


# --- files --------------------------------------------------------------------------------------------------


SIGNED = "http://db.example/storage/v1/object/sign/media/a/b?token=canary"


async def test_a_private_file_is_signed() -> None:
    script = Script(httpx.Response(200, json={"signedURL": "/object/sign/media/person/a%20b.jpg?token=t"}))
    async with _gateway(script) as gateway:
        url = await gateway.sign_file("media", "person/a b.jpg", 60)
    assert url.endswith("/storage/v1/object/sign/media/person/a%20b.jpg?token=t")
    request = script.requests[0]
    assert request.url.raw_path == b"/storage/v1/object/sign/media/person/a%20b.jpg"
    assert request.headers["apikey"] == KEY
    assert json.loads(request.content) == {"expiresIn": "60"}


@pytest.mark.parametrize(
    "name", ["person/ä b.jpg", "person/a?b#c.jpg", "person/100%.jpg", "person/token=x.jpg"]
)
async def test_a_signed_url_is_encoded_whatever_the_name(name: str) -> None:
    """The storage answers names as they are."""
    script = Script(httpx.Response(200, json={"signedURL": f"/object/sign/media/{name}?token=t.u.v"}))
    async with _gateway(script) as gateway:
        url = httpx.URL(await gateway.sign_file("media", name, 60))
    assert url.path == f"/storage/v1/object/sign/media/{name}"
    assert (dict(url.params), url.fragment) == ({"token": "t.u.v"}, "")
    assert str(url).isascii()


async def test_a_part_of_a_file_is_read_by_its_signed_url_without_the_key() -> None:
    script = Script(httpx.Response(206, content=b"arts", headers={"content-range": "bytes 5-8/100"}))
    async with _gateway(script) as gateway:
        assert await gateway.read_part(SIGNED, 5, 4, 100) == b"arts"
    request = script.requests[0]
    assert request.headers["range"] == "bytes=5-8"
    assert KEY not in str(request.headers)


async def test_a_whole_file_may_be_answered_where_all_of_it_was_asked_for() -> None:
    async with _gateway(Script(httpx.Response(200, content=b"whole"))) as gateway:
        assert await gateway.read_part(SIGNED, 0, 5, 5) == b"whole"


async def test_no_more_is_read_than_was_asked_for() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b"x" * 1000

    headers = {"content-range": "bytes 0-4999/9000"}
    async with _gateway(lambda request: httpx.Response(206, content=endless(), headers=headers)) as gateway:
        with pytest.raises(FileChangedError):
            await gateway.read_part(SIGNED, 0, 5000, 9000)
    assert read <= 70_000


def _part(content: bytes, content_range: str) -> httpx.Response:
    return httpx.Response(206, content=content, headers={"content-range": content_range})


@pytest.mark.parametrize(
    ("answer", "kind", "calls"),
    [
        (httpx.Response(404, json={}), FileMissingError, 1),
        (
            httpx.Response(400, json={"statusCode": "404", "error": "not_found", "message": "x"}),
            FileMissingError,
            1,
        ),
        (
            httpx.Response(400, json={"statusCode": "403", "error": "no", "message": "canary"}),
            StorageError,
            1,
        ),
        (httpx.Response(416, text="canary"), FileChangedError, 1),
        (_part(b"0123456789", "bytes 0-9/11"), FileChangedError, 1),
        (_part(b"0123456789", "bytes 1-10/10"), FileChangedError, 1),
        (httpx.Response(200, content=b"another size"), FileChangedError, 1),
        (_part(b"012345678", "bytes 0-9/10"), TransportError, 4),
        (httpx.Response(403, text="canary"), StorageError, 1),
        (httpx.Response(302, headers={"location": "https://canary.example"}), StorageError, 1),
        (httpx.Response(503), TransportError, 4),
        (httpx.ReadError("canary"), TransportError, 4),
        (httpx.ConnectError("canary"), NotSentError, 4),
    ],
)
async def test_what_goes_wrong_with_a_file(answer: object, kind: type[Exception], calls: int) -> None:
    script = Script(answer)
    async with _gateway(script) as gateway:
        with pytest.raises(kind) as caught:
            await gateway.read_part(SIGNED, 0, 10, 10)
    assert type(caught.value) is kind
    assert len(script.requests) == calls
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("answer", "kind", "calls"),
    [
        (
            httpx.Response(400, json={"statusCode": "404", "error": "not_found", "message": "canary"}),
            FileMissingError,
            1,
        ),
        (
            httpx.Response(400, json={"statusCode": "403", "error": "no", "message": "canary"}),
            StorageError,
            1,
        ),
        (httpx.Response(503, text="canary"), TransportError, 4),
        (httpx.Response(200, json={"canary": 1}), ContractMismatchError, 1),
        (httpx.ReadError("canary"), TransportError, 4),
        (httpx.ConnectError("canary"), NotSentError, 4),
    ],
)
async def test_what_goes_wrong_with_signing(answer: object, kind: type[Exception], calls: int) -> None:
    script = Script(answer)
    async with _gateway(script) as gateway:
        with pytest.raises(kind) as caught:
            await gateway.sign_file("media", FILE, 60)
    assert type(caught.value) is kind
    assert len(script.requests) == calls
    assert "canary" not in "".join(traceback.format_exception(caught.value))


# --- the contract -------------------------------------------------------------------------------------------


def _sql_functions() -> dict[str, list[str]]:
    """Name and parameters of every function of schema `worker`, from the sources."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "sql").rglob("*.sql"):
        for match in re.finditer(
            r"create function worker\.(\w+)\s*\((.*?)\)\s*returns", path.read_text(), re.S
        ):
            found[match.group(1)] = re.findall(r"\b(p_\w+)\b", match.group(2))
    return found


async def test_every_worker_function_has_a_method_that_passes_its_parameters() -> None:
    functions = _sql_functions()
    methods = {name for name, _ in inspect.getmembers(Gateway, inspect.iscoroutinefunction) if name[0] != "_"}
    assert functions
    assert set(functions) <= methods
    package = pathlib.Path(module.__file__).parent
    source = "".join(path.read_text() for path in package.glob("*.py"))
    for name, parameters in functions.items():
        body = inspect.getsource(getattr(Gateway, name))
        assert [p for p in parameters if f'"{p}"' not in body] == [], name
        assert f'"{name}"' in source


async def test_every_method_says_whether_it_may_be_repeated() -> None:
    silent = [
        name for name in _sql_functions() if "Repeat:" not in (inspect.getdoc(getattr(Gateway, name)) or "")
    ]
    assert silent == []


def test_only_the_gateway_imports_the_supabase_client() -> None:
    root = pathlib.Path(module.__file__).parents[1]
    pattern = re.compile(r"^\s*(from|import) (supabase|postgrest|storage3)\b", re.MULTILINE)
    users = [
        path.relative_to(root).as_posix() for path in root.rglob("*.py") if pattern.search(path.read_text())
    ]
    assert {user.split("/")[0] for user in users} == {"gateway"}
