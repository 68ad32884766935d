"""`./nexora bench queue`: our queue beside its peers. `./nexora bench privacy`: attestation and erasure at scale."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["add_arguments", "run"]

ROOT = Path(__file__).resolve().parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benches and their options."""
    benches = parser.add_subparsers(dest="bench", metavar="BENCH", required=True)
    for name, what in (
        ("queue", "jobs per second and latency beside graphile-worker, pg-boss, pgmq and procrastinate"),
        ("privacy", "the attestation of a million people, and the erasure of one with 100,000 rows"),
    ):
        bench = benches.add_parser(name, help=what)
        size = bench.add_mutually_exclusive_group()
        size.add_argument("--quick", action="store_true", help="about two minutes, smaller sizes")
        size.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # the smoke test
        bench.add_argument("--json", type=Path, metavar="FILE", help="write all figures as a list of objects")


def run(args: argparse.Namespace) -> int:
    """Run the bench; 0 when it came to its end, whatever the figures say."""
    from rich.console import Console

    state = Path(os.environ.get("NEXORA_ROOT", ROOT)) / ".nexora" / "bench"
    if args.bench == "privacy":
        from workers.bench import privacy

        size = privacy.TINY if args.tiny else privacy.QUICK if args.quick else privacy.FULL
        privacy.run_privacy_bench(size, state, Console(), args.json)
        return 0
    from workers.bench import plan
    from workers.bench.queue import run_queue_bench

    chosen = plan.TINY if args.tiny else plan.QUICK if args.quick else plan.FULL
    run_queue_bench(chosen, state, Console(), args.json)
    return 0
