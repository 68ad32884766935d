"""Files of a post: parts by signed URL, signed anew in time, within the budget of memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.workers.publish.fakes import FakeDatabase
from workers.errors import FileMissingError, StorageError, TransportError
from workers.gateway import MediaItem
from workers.jobs.publishing import files as module
from workers.jobs.publishing.files import StoredFile
from workers.jobs.publishing.memory import MemoryBudget
from workers.providers.base import NotAccepted, PublishStopped, Rejected

pytestmark = pytest.mark.anyio

ITEM = MediaItem(
    bucket_id="media",
    object_name="a/b.mp4",
    mime_type="video/mp4",
    size_bytes=10,
    kind="video",
    alt_text="a dog",
    width=3,
    height=2,
    duration_ms=1500,
)


@pytest.fixture
def database() -> FakeDatabase:
    made = FakeDatabase()
    made.files["a/b.mp4"] = b"0123456789"
    return made


def _file(database: FakeDatabase, limit: int = 8) -> StoredFile:
    return StoredFile(database, ITEM, MemoryBudget(limit))


async def test_a_part_is_exactly_what_was_asked_for(database: FakeDatabase) -> None:
    file = _file(database)
    async with file.part(2, 3) as content:
        assert content == b"234"
    async with file.part(9, 1) as content:
        assert content == b"9"
    assert database.count("sign_file") == 1, "one signature serves all parts"
    facts = (
        file.kind,
        file.mime_type,
        file.size_bytes,
        file.alt_text,
        file.width,
        file.height,
        file.duration_ms,
    )
    assert facts == ("video", "video/mp4", 10, "a dog", 3, 2, 1500)


async def test_a_signature_that_is_about_to_end_is_renewed(
    database: FakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: clock)
    file = _file(database)
    for passed, signatures in ((0.0, 1), (2999.0, 1), (2.0, 2)):
        clock += passed
        async with file.part(0, 1):
            pass
        assert database.count("sign_file") == signatures


async def test_a_part_larger_than_the_budget_is_refused_not_waited_for(database: FakeDatabase) -> None:
    with pytest.raises(PublishStopped) as stopped:
        async with _file(database, limit=4).part(0, 5):
            pass
    assert isinstance(stopped.value.outcome, Rejected)
    assert stopped.value.outcome.code == "media_too_large"


async def test_parts_wait_for_room_and_give_it_back_also_when_dropped(database: FakeDatabase) -> None:
    memory = MemoryBudget(8)
    first, second = StoredFile(database, ITEM, memory), StoredFile(database, ITEM, memory)
    entered = asyncio.Event()

    async def read() -> None:
        async with second.part(0, 8):
            entered.set()

    async with first.part(0, 1):
        waiting, dropped = asyncio.create_task(read()), asyncio.create_task(read())
        await asyncio.sleep(0)
        dropped.cancel()
        await asyncio.sleep(0.01)
        assert not entered.is_set()
    await asyncio.wait_for(waiting, 1)
    async with first.part(0, 8):
        pass


async def test_a_signature_that_could_not_be_had_is_asked_for_again(database: FakeDatabase) -> None:
    def fail(_argument: Any) -> None:
        raise TransportError("sign_file", "503")

    file = _file(database)
    database.before["sign_file"] = fail
    with pytest.raises(PublishStopped):
        async with file.part(0, 1):
            pass
    database.before.clear()
    async with file.part(0, 1) as content:
        assert content == b"0"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (FileMissingError("read_part"), Rejected, "media_missing"),
        (StorageError("read_part", "refused"), NotAccepted, "storage"),
        (TransportError("read_part", "503"), NotAccepted, None),
    ],
)
async def test_errors_of_the_storage_are_outcomes(
    error: Exception, kind: type, code: str | None, database: FakeDatabase
) -> None:
    def fail(_argument: Any) -> None:
        raise error

    for method in ("read_part", "sign_file"):
        database.before = {method: fail}
        with pytest.raises(PublishStopped) as stopped:
            async with _file(database).part(0, 1):
                pass
        assert isinstance(stopped.value.outcome, kind)
        assert code in (None, stopped.value.outcome.code)


async def test_a_url_for_the_platform_is_signed_for_as_long_as_it_is_needed(database: FakeDatabase) -> None:
    assert await _file(database).url(60) == "https://files.example/a/b.mp4"
    del database.files["a/b.mp4"]
    with pytest.raises(PublishStopped) as stopped:
        await _file(database).url(60)
    assert stopped.value.outcome.code == "media_missing"
