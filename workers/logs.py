"""Logs that cannot hold personal content (P1.11): JSON lines on stderr, made of allow-listed fields only.

A field is written when its name is in the table below *and* its value has the type that the table names: ids,
codes, counts, durations. Everything else is dropped, whoever logs it; a line says how many fields it lost.
Exceptions are written as class, our own code and the frames they passed, without messages and without values.

Other libraries log through `logging`. Their records go through the same filter: httpx logs whole URLs at
INFO, uvicorn logs addresses, asyncio logs representations of objects. What is left of a record is the logger,
the level, the line of code and, for loggers known to use constant templates, the template without its
arguments.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final, TextIO
from uuid import UUID

import structlog

from workers.errors import NexoraError

__all__ = ["FIELDS", "configure", "filtered", "get_logger", "watch_loop"]

_PROJECT: Final = PurePath(__file__).parent.parent
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:\-]{0,63}|[0-9A-Z]{5}|\d{3}|\d{6}")
"""A word; a SQLSTATE; an HTTP status; a version YYYYMM. Neither an address nor a number of any other kind."""
_KEY_LIKE: Final = re.compile(r"secret_|^eyJ|^sk_|(?=\S*\d)(?=\S*[a-z])(?=\S*[A-Z])\S{20,}")
"""What keys and tokens look like; no code does."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FRAMES: Final = 12
_TEMPLATED: Final = ("apscheduler", "httpx", "httpcore", "uvicorn")
"""Loggers whose messages are constants with placeholders, so that the message without arguments holds
nothing."""


def _is_id(value: object) -> bool:
    return isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value) is not None)


def _is_code(value: object) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None and not _KEY_LIKE.search(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


FIELDS: Final[Mapping[str, Callable[[object], bool]]] = {
    # ids: meaningless outside the database
    "connection_id": _is_id,
    "flow_id": _is_id,
    "login_id": _is_id,
    "outbox_id": _is_id,
    "subject_id": _is_id,
    "target_id": _is_id,
    "user_id": _is_id,
    "worker_id": _is_id,
    # codes: words of ours, of an error registry, or of a protocol
    "cause": _is_code,
    "code": _is_code,
    "exception": _is_code,
    "function": _is_code,
    "key_id": _is_code,
    "lane": _is_code,
    "mode": _is_code,
    "outcome": _is_code,
    "phase": _is_code,
    "platform_id": _is_code,
    "signal": _is_code,
    "state": _is_code,
    "task": _is_code,
    "variable": _is_code,
    "version": _is_code,
    # counts
    "affected": _is_count,
    "attempt": _is_count,
    "claimed": _is_count,
    "count": _is_count,
    "failed": _is_count,
    "generation": _is_count,
    "http_status": _is_count,
    "in_flight": _is_count,
    "pid": _is_count,
    "port": _is_count,
    # durations in seconds
    "age_seconds": _is_number,
    "duration_seconds": _is_number,
    "lag_seconds": _is_number,
    "retry_after_seconds": _is_number,
    "wait_seconds": _is_number,
    "accepted": _is_flag,
}
"""Name of every field that may be logged, and the test that its value has to pass."""

_stream: TextIO | None = None


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send structlog and every `logging` logger of the process through the filter.

    Args:
        level: lowest level that is written: debug, info, warning or error.
        stream: where to; standard error when None.
    """
    global _stream
    _stream = stream
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.processors.add_log_level, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler()]
    root.setLevel(max(number, logging.INFO))
    for name in list(logging.Logger.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a record that cannot be written must not be printed instead
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_thread_uncaught


def get_logger(name: str) -> Any:
    """A logger of this package; `log.info("event_name", target_id=…)`. The event is a constant word."""
    return structlog.get_logger(logger_name=name)


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log what asyncio would print: exceptions of tasks that nobody awaited."""

    def on_error(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        get_logger("asyncio").error("loop_error", exc_info=context.get("exception"))

    loop.set_exception_handler(on_error)


# --- writing ------------------------------------------------------------------------------------------------


class _Lines:
    """structlog's last station: one line, flushed."""

    def __init__(self, *_args: object) -> None:
        pass

    def msg(self, line: str) -> None:
        _write(line)

    debug = info = warning = error = critical = exception = msg


def _write(line: str) -> None:
    stream = _stream or sys.stderr
    stream.write(line + "\n")
    stream.flush()


def _line(level: str, logger: str, event: str, fields: Mapping[str, Any]) -> str:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"at": stamp, "level": level, "logger": logger, "event": event, **fields})


def _render(_logger: object, _method: str, event_dict: MutableMapping[str, Any]) -> str:
    level = str(event_dict.pop("level", "info"))
    logger = str(event_dict.pop("logger_name", "workers"))
    event = event_dict.pop("event", "")
    if not isinstance(event, str) or not _EVENT.fullmatch(event) or _KEY_LIKE.search(event):
        event = "unnamed_event"
    error = _exception_of(event_dict.pop("exc_info", None))
    fields: dict[str, Any] = {}
    dropped = 0
    for name, value in event_dict.items():
        test = FIELDS.get(name)
        if test is not None and test(value):
            fields[name] = str(value) if isinstance(value, UUID) else value
        elif value is not None:
            dropped += 1
    if dropped:
        fields["dropped"] = dropped
    if error is not None:
        fields.update(_described(error))
    return _line(level, logger, event, fields)


def filtered(values: Mapping[str, Any]) -> str:
    """The line that logging these values makes: what the self test of the filter looks at."""
    return _render(None, "info", dict(values))


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3 and isinstance(exc_info[1], BaseException):
        return exc_info[1]
    return sys.exc_info()[1] if exc_info is True else None


def _described(error: BaseException) -> dict[str, Any]:
    """Class, our code, causes and frames of an exception: everything but its values."""
    fields: dict[str, Any] = {"exception": type(error).__qualname__, "frames": _frames(error.__traceback__)}
    if isinstance(error, NexoraError) and _is_code(error.code):
        fields.setdefault("code", error.code)
    if isinstance(error, BaseExceptionGroup):
        fields["members"] = [type(member).__qualname__ for member in error.exceptions[:_FRAMES]]
    causes: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None and len(causes) < _FRAMES:
        causes.append(type(cause).__qualname__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    if causes:
        fields["causes"] = causes
    return fields


def _frames(traceback: TracebackType | None) -> list[str]:
    frames: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{_place(code.co_filename)}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames[-_FRAMES:]


def _place(file_name: str) -> str:
    """A source file's name without the directories above its project or package, which may name a person."""
    path = PurePath(file_name)
    if path.is_relative_to(_PROJECT):
        return path.relative_to(_PROJECT).as_posix()
    if "site-packages" in path.parts:
        return "/".join(path.parts[len(path.parts) - path.parts[::-1].index("site-packages") :])
    return path.name or "?"


class _Handler(logging.Handler):
    """Every record of `logging`, reduced to what cannot hold content."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.name.startswith(("httpx", "httpcore")) and record.levelno < logging.WARNING:
                return  # one line for each call, which our own lines and metrics already say
            fields: dict[str, Any] = {"line": f"{_place(record.pathname)}:{record.lineno}"}
            is_template = isinstance(record.msg, str) and bool(record.args)
            if is_template and record.name.split(".")[0] in _TEMPLATED:
                fields["template"] = record.msg
            if record.exc_info and record.exc_info[1] is not None:
                fields.update(_described(record.exc_info[1]))
            _write(_line(record.levelname.lower(), record.name, "library_message", fields))
        except Exception:  # noqa: BLE001  a log that fails must neither stop the work nor print the record
            return


def _on_uncaught(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    get_logger("workers").critical("uncaught", exc_info=error)


def _on_thread_uncaught(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None:
        get_logger("workers").critical("uncaught_in_thread", exc_info=arguments.exc_value)
