"""A backup of what the demo has made so far: encrypted, and restored into an empty project, behind the scenes."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from workers.cli.backup import back_up_and_drill
from workers.cli.demo.stage import Stage
from workers.schema.scratch import Scratch


def begin(stage: Stage) -> Future[str | None]:
    """Back up and restore in the background; answers None, or a code that says what is wrong."""
    pool = ThreadPoolExecutor(max_workers=1)
    made = pool.submit(_back_up, stage)
    pool.shutdown(wait=False)
    return made


def _back_up(stage: Stage) -> str | None:
    service = stage.service
    drilling = back_up_and_drill(
        Scratch(service.stack),
        api_url=service.api_url,
        database_url=service.stack.database_url,
        keyring=service.keyring,
    )
    return asyncio.run(drilling)


def see_it_restored(stage: Stage, made: Future[str | None]) -> None:
    """What came back from the backup (P3.2)."""
    stage.steps.begin("Meanwhile a backup was made, and tried")
    fault = made.result(timeout=60)
    stage.steps.check(
        f"it is encrypted, and can be restored into an empty project (P3.2){fault or ''}", fault is None
    )
    with stage.database() as database:
        drill = database.execute("select row_count, file_count from private.backup_drills").fetchone()
    rows, files = drill or (0, 0)
    stage.steps.check(f"{rows} rows and {files} files came back", bool(rows) and bool(files))
