"""`python -m workers.sandbox --port 8750 --redirect-uri URI`: the sandbox as a process of its own.

The client secret comes from NEXORA_SANDBOX_SECRET, never from the command line, where other users could read
it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

import uvicorn

from workers.sandbox.app import SandboxApp
from workers.sandbox.server import config
from workers.sandbox.state import State


async def serve(app: SandboxApp, host: str, port: int) -> None:
    """Runs until SIGINT or SIGTERM."""
    server = uvicorn.Server(config(app, host, port))
    running = asyncio.create_task(
        server._serve()
    )  # serve() would take the signals without ending held requests
    loop = asyncio.get_running_loop()

    def stop() -> None:
        app.faults.stop()
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await running


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.sandbox", description="The platforms' sandbox.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8750)
    parser.add_argument(
        "--redirect-uri", action="append", default=[], metavar="URI", help="may be given more than once"
    )
    parser.add_argument(
        "--media-prefix",
        action="append",
        default=[],
        metavar="URL",
        help="verified with TikTok, which pulls from it",
    )
    options = parser.parse_args()
    secret = os.environ.get("NEXORA_SANDBOX_SECRET", "")
    if len(secret) < 16:
        sys.exit("NEXORA_SANDBOX_SECRET must hold at least 16 characters")
    app = SandboxApp(State(secret, options.redirect_uri, options.media_prefix))
    asyncio.run(serve(app, options.host, options.port))


if __name__ == "__main__":
    main()
