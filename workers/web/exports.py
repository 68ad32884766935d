"""`GET /export/{ticket}`: from a one-time ticket of `open_export` to the archive, by a URL that soon ends (P7.4).

The URL is minted per click, lives fifteen minutes, and stands in no page, mail or log.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workers.errors import GatewayError
from workers.gateway import EXPORTS_BUCKET

__all__ = ["SIGNED_SECONDS", "ExportLinks", "ExportLinksGateway"]

SIGNED_SECONDS: Final = 900
_TICKET: Final = re.compile(r"[0-9a-f]{64}")


class ExportLinksGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def redeem_export(self, ticket_hash: str) -> str | None: ...

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str: ...


class ExportLinks:
    """Whatever is wrong with a ticket gets the same answer as a path that does not exist."""

    def __init__(self, gateway: ExportLinksGateway) -> None:
        self._gateway = gateway

    async def open(self, request: Request) -> Response:
        """Exchange the ticket and send the browser on; `HEAD` must not spend it."""
        ticket = request.path_params["ticket"]
        if request.method != "GET":
            return Response(status_code=405, headers={"Allow": "GET"})
        if _TICKET.fullmatch(ticket) is None:
            raise HTTPException(404)
        try:
            name = await self._gateway.redeem_export(hashlib.sha256(ticket.encode()).hexdigest())
            if name is None:
                raise HTTPException(404)
            url = await self._gateway.sign_file(EXPORTS_BUCKET, name, SIGNED_SECONDS)
        except GatewayError:
            raise HTTPException(503) from None  # its text may name the file
        return RedirectResponse(f"{url}&download=nexora-export.zip", status_code=303)
