"""One session of psql, fed as a stream: what `pg_dump` wrote is for it to read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from types import TracebackType
from typing import Final

from workers.jobs.backup import DumpError, client_tool, connection

__all__ = ["Psql"]

_COPIED: Final = re.compile(r"COPY (\d+)")
_LINE: Final = 1 << 24


class Psql:
    """A context manager. Leaving it without `commit;` undoes everything.

    Attributes:
        copied: how many rows were loaded.

    Raises (every method):
        DumpError: the database refused, with what it said.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self.copied = 0

    async def __aenter__(self) -> Psql:
        address, environment = connection(self._url)
        self._process = await asyncio.create_subprocess_exec(
            client_tool("psql"),
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            f"--dbname={address}",
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE,
        )
        assert self._process.stdin is not None  # noqa: S101  asked for above
        assert self._process.stderr is not None  # noqa: S101
        self._input = self._process.stdin
        self._errors = asyncio.create_task(self._process.stderr.read())
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            if error is not None:
                self._process.kill()
            self._input.close()
        await self._process.wait()
        await asyncio.gather(self._reader, self._errors, return_exceptions=True)

    async def feed(self, text: bytes) -> None:
        """Hand on what a dump holds."""
        self._input.write(text)
        try:
            await self._input.drain()
        except OSError:
            await self._fail()

    async def run(self, statements: str) -> None:
        """Run statements and wait for their end."""
        await self.ask(f"{statements}\nselect ''")

    async def ask(self, query: str) -> str:
        """Run a query of one value, without a semicolon, and answer it."""
        mark = f"answer {uuid.uuid4()} "
        await self.feed(f"{query}\n\\g\n\\echo {mark}\n".encode())
        before = ""
        while True:
            line = await self._next_line()
            if line.startswith(mark.rstrip()):
                return before
            before = line

    async def _next_line(self) -> str:
        getting = asyncio.create_task(self._answers.get())
        await asyncio.wait({getting, self._reader}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done() and self._answers.empty():
            getting.cancel()
            await self._fail()
        return await getting

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        async for raw in self._process.stdout:
            line = raw.decode().rstrip("\n")
            if copied := _COPIED.fullmatch(line):
                self.copied += int(copied[1])
            elif line:
                await self._answers.put(line)

    async def _fail(self) -> None:
        await self._process.wait()
        said = [
            line for line in (await self._errors).decode(errors="replace").splitlines() if "ERROR" in line
        ]
        raise DumpError("psql", said[0].partition("ERROR:")[2].strip() if said else "the connection was lost")
