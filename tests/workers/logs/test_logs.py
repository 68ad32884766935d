"""P1.11: whatever is thrown at the log, no personal content, address or token comes out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog

from workers import logs
from workers.errors import ConfigurationError, database_error

CANARIES = (
    "Dear fans, my new video is out",
    "ada@example.org",
    "eyJhbGciOiJIUzI1NiJ9.canary.token",
    "203.0.113.77",
    "sb_secret_canary",
)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, logging.raiseExceptions)
    stream = io.StringIO()
    logs.configure("debug", stream)
    yield stream
    root.handlers[:], root.level, sys.excepthook, logging.raiseExceptions = before
    logging.captureWarnings(False)
    structlog.reset_defaults()


def _lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def _holds_none(out: io.StringIO) -> None:
    text = out.getvalue()
    assert [canary for canary in CANARIES if canary in text or json.dumps(canary)[1:-1] in text] == []


def test_allowed_fields_are_written(out: io.StringIO) -> None:
    target = uuid.uuid4()
    logs.get_logger("t").info(
        "target_concluded",
        target_id=target,
        attempt=2,
        code="rate_limited",
        duration_seconds=0.5,
        accepted=True,
    )
    line = _lines(out)[0]
    assert line["event"] == "target_concluded"
    assert (line["target_id"], line["attempt"], line["code"]) == (str(target), 2, "rate_limited")
    assert "dropped" not in line


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize(
    "field", ["text", "body", "email", "message", "url", "token", "headers", "target_id"]
)
def test_anything_else_is_dropped(field: str, canary: str, out: io.StringIO) -> None:
    logs.get_logger("t").warning("event", **{field: canary})
    logs.get_logger("t").warning("event", **{field: {"nested": [canary]}})
    _holds_none(out)
    assert [line["dropped"] for line in _lines(out)] == [1, 1]


@pytest.mark.parametrize("field", sorted(logs.FIELDS))
def test_no_allowed_field_takes_a_sentence_an_address_or_an_object(field: str) -> None:
    test = logs.FIELDS[field]
    assert not test(CANARIES[0])
    assert not test(CANARIES[1])
    assert not test({"a": 1})
    assert not test(["a"])
    assert not test("x" * 65)
    assert not test("a\nb")
    assert not [canary for canary in CANARIES if test(canary)]
    assert not test("AAAA1bcdEFGHijkLMNop2qrs")


@pytest.mark.parametrize("canary", CANARIES)
def test_an_event_is_a_word(canary: str, out: io.StringIO) -> None:
    logs.get_logger("t").error(f"failed: {canary}")
    logs.get_logger("t").error(canary)
    _holds_none(out)
    assert {line["event"] for line in _lines(out)} == {"unnamed_event"}


def _cause() -> None:
    raise ValueError(CANARIES[0])


def _raise_with_values() -> None:
    secret_local = CANARIES[2]
    try:
        _cause()
    except ValueError as error:
        raise RuntimeError(f"{secret_local} {CANARIES[1]}") from error


@pytest.mark.parametrize(
    "log_it",
    [
        lambda: logs.get_logger("t").exception("failed"),
        lambda: logs.get_logger("t").error("failed", exc_info=True),
        lambda: logging.getLogger("lib").exception("failed %s", CANARIES[0]),
    ],
)
def test_exceptions_are_class_code_and_frames(log_it: Callable[[], None], out: io.StringIO) -> None:
    try:
        _raise_with_values()
    except RuntimeError:
        log_it()
    _holds_none(out)
    line = _lines(out)[0]
    assert line["exception"] == "RuntimeError"
    assert line["causes"] == ["ValueError"]
    assert line["frames"][-1].startswith("tests/workers/logs/test_logs.py:")
    assert line["frames"][-1].endswith("_raise_with_values")


def test_our_own_code_is_kept(out: io.StringIO) -> None:
    error = database_error("claim_targets", "NX420", CANARIES[0], CANARIES[1], CANARIES[2])
    logs.get_logger("t").error("failed", exc_info=error)
    _holds_none(out)
    assert _lines(out)[0]["code"] == "NX420"


def test_exception_groups(out: io.StringIO) -> None:
    group = ExceptionGroup(CANARIES[0], [ValueError(CANARIES[1]), KeyError(CANARIES[2])])
    logs.get_logger("t").error("failed", exc_info=group)
    _holds_none(out)
    assert _lines(out)[0]["members"] == ["ValueError", "KeyError"]


@pytest.mark.anyio
async def test_httpx_does_not_log_urls(out: io.StringIO) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get(f"https://api.example/{CANARIES[2]}?email={CANARIES[1]}")
    assert CANARIES[2] not in out.getvalue()
    assert "api.example" not in out.getvalue()


@pytest.mark.parametrize(
    "name", ["httpx", "uvicorn.error", "uvicorn.access", "apscheduler.scheduler", "asyncio", "x"]
)
@pytest.mark.parametrize("canary", CANARIES)
def test_other_libraries_lose_their_values(name: str, canary: str, out: io.StringIO) -> None:
    logger = logging.getLogger(name)
    logger.error("got %s", canary)
    logger.error(f"got {canary}")
    logger.error(ValueError(canary))
    logger.error("got %(a)s", {"a": canary})
    _holds_none(out)
    assert len(_lines(out)) == 4


def test_known_templates_survive_without_arguments(out: io.StringIO) -> None:
    logging.getLogger("apscheduler.executors.default").warning(
        "Run time of job %s was missed by %s", "a", "b"
    )
    assert _lines(out)[0]["template"] == "Run time of job %s was missed by %s"


def test_warnings_go_the_same_way(out: io.StringIO, recwarn: pytest.WarningsRecorder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(CANARIES[0], stacklevel=1)
    _holds_none(out)


def test_a_record_that_cannot_be_formatted_is_not_printed(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("lib").error("%d", CANARIES[0])
    _holds_none(out)
    assert CANARIES[0] not in capsys.readouterr().err


def test_uncaught_exceptions(out: io.StringIO) -> None:
    error = RuntimeError(CANARIES[0])
    sys.excepthook(type(error), error, None)
    _holds_none(out)
    assert _lines(out)[0]["event"] == "uncaught"


@pytest.mark.anyio
async def test_exceptions_of_forgotten_tasks(out: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)
    loop.call_exception_handler(
        {"message": CANARIES[0], "exception": ValueError(CANARIES[1]), "future": CANARIES}
    )
    loop.set_exception_handler(None)
    _holds_none(out)
    assert _lines(out)[0]["exception"] == "ValueError"


def test_configuration_errors_name_the_variable(out: io.StringIO) -> None:
    error = ConfigurationError("NEXORA_TOKEN_KEYRING", CANARIES[4])
    logs.get_logger("t").error("start_refused", variable=error.variable, exc_info=error)
    _holds_none(out)
    assert _lines(out)[0]["variable"] == "NEXORA_TOKEN_KEYRING"


def test_the_level_is_honoured() -> None:
    stream = io.StringIO()
    before = (logging.getLogger().handlers[:], sys.excepthook)
    logs.configure("warning", stream)
    logs.get_logger("t").info("quiet")
    logs.get_logger("t").warning("loud")
    logging.getLogger().handlers[:], sys.excepthook = before
    structlog.reset_defaults()
    assert [line["event"] for line in _lines(stream)] == ["loud"]
