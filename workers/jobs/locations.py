"""Log-ins get an approximate country, and their addresses are forgotten (P1.9).

The lookup happens in this process, from a table that comes with the package `geoip2fast`: no address leaves
    it, none is
logged, and none is part of an exception.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from workers.gateway import LoginLocation

__all__ = ["CountryTable", "run_locations"]

_FILE: Final = "geoip2fast-ipv6.dat.gz"  # countries, IPv4 and IPv6
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class LocationGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def claim_login_locations(self, limit: int) -> list[LoginLocation]:
        """See `Gateway.claim_login_locations`."""
        ...

    async def set_login_countries(self, rows: Sequence[tuple[UUID, str | None]]) -> None:
        """See `Gateway.set_login_countries`."""
        ...


class CountryTable:
    """Countries by address. Loading takes about 0.1 s and 25 MB; `load` does it off the event loop."""

    def __init__(self) -> None:
        import geoip2fast  # type: ignore[import-untyped]

        # By its full path: given a bare name, the package would first look in the working directory, and what
        # it finds there it unpickles.
        file = Path(geoip2fast.__file__).with_name(_FILE)
        self._table = geoip2fast.GeoIP2Fast(geoip2fast_data_file=str(file))

    @classmethod
    async def load(cls) -> CountryTable:
        """The table, loaded in a thread."""
        return await asyncio.to_thread(cls)

    def country_of(self, address: str) -> str | None:
        """The country of an address.

        Args:
            address: IPv4 or IPv6 in text form; a prefix length or zone after it is ignored.

        Returns:
            ISO 3166-1 alpha-2 code, or None: not an address, not a public one (private, loopback, link-local,
            documentation), or unknown.
        """
        bare = re.split(r"[/%]", address.strip(), maxsplit=1)[0]
        try:
            parsed = ipaddress.ip_address(bare)
        except ValueError:  # it quotes the address: drop it
            return None
        if isinstance(parsed, ipaddress.IPv6Address):
            parsed = parsed.ipv4_mapped or parsed.sixtofour or parsed
        if not parsed.is_global or parsed.is_multicast:
            return None
        code = self._table.lookup(str(parsed)).country_code
        return code if isinstance(code, str) and _COUNTRY.fullmatch(code) else None


async def run_locations(gateway: LocationGateway, countries: CountryTable, limit: int) -> int:
    """Resolves the log-ins that still have an address; the database drops the address as the country is
    stored.

    Args:
        gateway: the database.
        countries: the table.
        limit: most log-ins to take.

    Returns:
        How many were resolved, those without a known country included.

    Raises:
        GatewayError: when the database cannot be asked or told.
    """
    logins = await gateway.claim_login_locations(limit)
    if logins:
        await gateway.set_login_countries([(row.login_id, countries.country_of(row.ip)) for row in logins])
    return len(logins)
