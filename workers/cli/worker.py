"""`nexora worker`: the production worker process."""

from __future__ import annotations

import argparse
import asyncio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: a worker is configured by its environment alone (see `.env.example`)."""


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 0 after a graceful stop, 1 after a fault."""
    from workers import logs, settings

    values = settings.load(settings.WorkerSettings)
    logs.configure(values.log_level)

    from workers.process import run_worker

    return asyncio.run(run_worker(values))
