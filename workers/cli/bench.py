"""`./nexora bench queue`: our queue beside its peers."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["add_arguments", "run"]

ROOT = Path(__file__).resolve().parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `queue` and its options."""
    benches = parser.add_subparsers(dest="bench", metavar="BENCH", required=True)
    queue = benches.add_parser(
        "queue", help="jobs per second and latency beside graphile-worker, pg-boss, pgmq and procrastinate"
    )
    size = queue.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="about two minutes, smaller sizes")
    size.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # the smoke test
    queue.add_argument("--json", type=Path, metavar="FILE", help="write all figures as a list of objects")


def run(args: argparse.Namespace) -> int:
    """Run the bench; 0 when it came to its end, whatever the figures say."""
    from rich.console import Console

    from workers.bench import plan
    from workers.bench.queue import run_queue_bench

    chosen = plan.TINY if args.tiny else plan.QUICK if args.quick else plan.FULL
    state = Path(os.environ.get("NEXORA_ROOT", ROOT)) / ".nexora" / "bench"
    run_queue_bench(chosen, state, Console(), args.json)
    return 0
