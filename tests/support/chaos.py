"""What goes wrong in the world, all at once and by a seed: platforms, workers, the database, clocks.

Time is the one thing that is helped along. A worker waits a minute before it judges a call of which nothing is
known, and leases end after 45 seconds without a heartbeat; `Chaos.age` lets that time pass for rows and
workers about which it is true that nothing of them can still be on its way: no call lives longer than
`CALL_SECONDS`, because the platforms' silence ends it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.support.api import Api
from tests.support.running import RunningWorker, running_worker
from workers.sandbox import Sandbox

TIMEOUT_SECONDS = 2.0
CALL_SECONDS = 10.0
"""Twice and more what the slowest call takes: silence of 2 s, delays of 1 s, workers stopped for 1.5 s."""
_PAST_SECONDS = 70.0

# Where each platform's irreversible call goes, and whatever comes before and after it.
SENDING = {
    "x": "/2/tweets$",
    "linkedin": "/rest/(posts|socialActions)",
    "youtube": "/upload/youtube/v3/videos",
    "instagram": "/media_publish$",
    "tiktok": "/(video/|content/init|publish/video/init)",
}
_KINDS = ("reset_before", "reset_after", "rate_limit", "malformed", "status", "status_after", "hang", "delay")
_WEIGHTS = (4, 6, 1, 3, 4, 5, 2, 3)


@dataclass
class Fleet:
    """Worker processes that come and go, always `size` of them.

    Attributes:
        starts: how many were ever started.
    """

    api: Api
    sandbox: Sandbox
    log_dir: Path
    size: int = 2
    starts: int = 0
    _running: list[tuple[str, RunningWorker, contextlib.ExitStack]] = field(default_factory=list)

    def start(self) -> None:
        """One more worker."""
        self.starts += 1
        name, stack = f"chaos-{self.starts}", contextlib.ExitStack()
        worker = stack.enter_context(
            running_worker(
                self.api,
                self.sandbox,
                self.log_dir,
                NEXORA_WORKER_NAME=name,
                NEXORA_PLATFORM_TIMEOUT_SECONDS=str(TIMEOUT_SECONDS),
                NEXORA_POLL_SECONDS="0.2",
            )
        )
        self._running.append((name, worker, stack))

    def kill(self, chance: random.Random) -> str:
        """`kill -9` of one of them, which another replaces; answers its name."""
        name, worker, stack = self._running.pop(chance.randrange(len(self._running)))
        worker.kill()
        stack.close()
        return name

    def freeze(self, chance: random.Random) -> tuple[str, Callable[[], None]]:
        """Stop one where it stands; answers its name and how to let it go on."""
        name, worker, _ = chance.choice(self._running)
        os.kill(worker.pid, signal.SIGSTOP)
        return name, lambda: os.kill(worker.pid, signal.SIGCONT)

    @property
    def web_url(self) -> str:
        """Web app of the first of them."""
        return self._running[0][1].web_url

    def close(self) -> None:
        """The end of all."""
        while self._running:
            self._running.pop()[2].close()


class Chaos:
    """Breaks things until told to stop.

    Args:
        api, sandbox, fleet: the world.
        seed: what goes wrong, and when.
        restart: switches the database off and on.
    """

    def __init__(
        self, api: Api, sandbox: Sandbox, fleet: Fleet, seed: int, restart: Callable[[], None]
    ) -> None:
        self._api = api
        self._control = sandbox.control
        self._fleet = fleet
        self._chance = random.Random(seed)
        self._restart = restart
        self.done: dict[str, int] = {}

    def reign(self, seconds: float) -> None:
        """Everything, for so long; at least once each of the great ones."""
        began, great = time.monotonic(), [self._kill, self._freeze, self._cut, self._restart_database]
        self._chance.shuffle(great)
        for index, event in enumerate(great):
            until = began + seconds * (index + 1) / len(great)
            event()
            while time.monotonic() < until:
                self._fault()
                if self._chance.random() < 0.1:
                    self._step_clock()
                self.age()
                time.sleep(0.05)
        self._control.set_clock(0)

    def _note(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def _fault(self) -> None:
        platform = self._chance.choice(list(SENDING))
        (kind,) = self._chance.choices(_KINDS, _WEIGHTS)
        path = SENDING[platform] if self._chance.random() < 0.7 else "^(?!.*(oauth|token)).*$"
        self._note(kind)
        if kind == "status_after":
            self._control.add_fault("status", at="after", platform=platform, path=path, status=503)
        elif kind == "status":
            status = self._chance.choice([500, 502, 503, 504])
            self._control.add_fault("status", at="before", platform=platform, path=path, status=status)
        elif kind == "rate_limit":
            headers = {"retry-after": "1"}
            self._control.add_fault(
                "status", platform=platform, path=path, status=429, headers=headers, body={}
            )
        elif kind in ("hang", "delay"):
            at = self._chance.choice(["before", "after"])
            self._control.add_fault(kind, at=at, platform=platform, path=path, seconds=1.0)  # type: ignore[arg-type]
        else:
            self._control.add_fault(kind, platform=platform, path=path)  # type: ignore[arg-type]

    def _step_clock(self) -> None:
        """The platforms' clocks jump against ours and the database's."""
        self._note("clock")
        self._control.set_clock(self._chance.uniform(-30.0, 30.0))

    def _kill(self) -> None:
        self._note("kill")
        self._bury(self._fleet.kill(self._chance))
        self._fleet.start()

    def _freeze(self) -> None:
        """A worker stands still long enough to be declared dead, and goes on: two believe to have its leases."""
        self._note("freeze")
        name, go_on = self._fleet.freeze(self._chance)
        self._bury(name)
        time.sleep(1.5)
        go_on()

    def _cut(self) -> None:
        """Every session of the database ends at this instant, whatever it was doing."""
        self._note("cut")
        with psycopg.connect(self._api.admin_url, autocommit=True) as database:
            database.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )

    def _restart_database(self) -> None:
        self._note("restart")
        self._restart()

    def _bury(self, name: str) -> None:
        """What 45 seconds without a heartbeat do."""
        with _database(self._api) as database:
            database.execute(
                "update private.workers set heartbeat_at = now() - interval '1 hour' where name = %s", (name,)
            )

    def age(self) -> None:
        """Let a minute pass for calls that must be over, and the back-off for what waits."""
        with contextlib.suppress(psycopg.OperationalError), _database(self._api) as database:
            database.execute(
                """update private.queue set
                     sending_at = sending_at - make_interval(secs => %(past)s),
                     progress = case when progress ? 'send_ended' then jsonb_set(progress, '{send_ended}',
                       to_jsonb((progress ->> 'send_ended')::numeric - %(past)s)) else progress end
                   where sending_at between now() - interval '60 s' and now() - make_interval(secs => %(call)s)""",
                {"past": _PAST_SECONDS, "call": CALL_SECONDS},
            )
            database.execute(
                """update private.queue q set due_at = now() from public.post_targets t
                   where q.lane = 'publish' and q.worker_id is null and q.due_at > now() and t.id = q.subject_id
                     and (q.sending_at is null or q.sending_at < now() - interval '60 s')"""
            )
            database.execute("delete from private.platform_budgets")


@contextlib.contextmanager
def _database(api: Api) -> Iterator[psycopg.Connection]:
    with psycopg.connect(api.db_url, autocommit=True, connect_timeout=5) as connection:
        yield connection
