"""What a worker loads and makes only once it runs, for the process that the workers of tests are forked from."""

from __future__ import annotations

import anyio._backends._asyncio  # noqa: F401
import geoip2fast  # noqa: F401
import h2.connection  # noqa: F401
import httpcore  # noqa: F401
import uvicorn.protocols.http.h11_impl
import uvicorn.protocols.websockets.auto  # noqa: F401

import workers.cli.main
import workers.cli.worker
import workers.process  # noqa: F401
from workers import http

http.client_options(http.DATABASE)  # reads the machine's certificates
