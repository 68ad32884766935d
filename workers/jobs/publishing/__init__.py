"""Publishing: claim what is due, publish it, report what became of it. Never twice, never silently lost.

The life of a target in this process::

    claimed ── preparing ──────────────── marking ── sending ── reporting
               token, files, uploads      database   platform   database
               (may be dropped)           (from here on it is carried through)

- *Claim* (`loop`). In batches, as many as there is room for; several batches are worked on at once. Between
  claims the loop sleeps until the time at which the database says the next target is due, at most
  `poll_seconds`.
- *Preparing* (`attempt`) can be undone by forgetting it. When the process stops or its lease is lost, these
  are dropped.
- *Marking.* Before the irreversible call the database records that it begins (`mark_sending`), and refuses
  when the target was cancelled, disconnected or taken over. A call that could not begin within
  `START_SECONDS` after its marking, or under a lease whose last heartbeat is old, is not made: somebody else
  may already be looking for its traces.
- *Sending* is never interrupted, except by its own deadline `SEND_SECONDS`, and at the end of a graceful
  stop. Then its outcome is unknown and the target is reconciled: the next claim comes in mode `reconcile` and
  probes the platform.
- *Threads and first comments.* The post itself and each part that follows is marked, sent and recorded by
  itself (`record_part` stores its id and clears the mark in one transaction). Whoever claims the target next
  goes on at the first part that is missing, and probes for it if it is the one that is marked.
- *Reporting* (`reporting`) is repeated until the database answers; it is fenced by (target, attempt, worker),
  so repeating is safe.

Targets of one account go out one after the other in the order in which they were claimed. A rate limit of an
account holds its other targets back as well.
"""

from __future__ import annotations

from workers.jobs.publishing.interfaces import Limits, PublishGateway, Tokens
from workers.jobs.publishing.loop import PublishJob

__all__ = ["Limits", "PublishGateway", "PublishJob", "Tokens"]
