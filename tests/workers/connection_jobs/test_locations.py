"""An address becomes a country or nothing, and leaves no trace (P1.9)."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from workers.gateway import LoginLocation
from workers.jobs.locations import CountryTable, run_locations

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def countries() -> CountryTable:
    return CountryTable()


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("8.8.8.8", "US"),
        (" 8.8.8.8 ", "US"),
        ("8.8.8.8/32", "US"),
        ("::ffff:8.8.8.8", "US"),
        ("2002:808:808::1", "US"),
        ("2a00:1450:4001:82b::200e", "DE"),
        ("2a00:1450:4001:82b::200e/128", "DE"),
        ("85.214.132.117", "DE"),
    ],
)
def test_a_public_address_has_a_country(countries: CountryTable, address: str, country: str) -> None:
    assert countries.country_of(address) == country


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "255.255.255.255",
        "224.0.0.1",
        "203.0.113.4",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::1",
        "",
        "   ",
        "unknown",
        "8.8.8",
        "08.8.8.8",
        "8.8.8.8, 10.0.0.1",
        "8.8.8.8:443",
        "134744072",
        "8.8.8.8; drop table",
        "\x00",
        "ключ",
    ],
)
def test_anything_else_has_none(countries: CountryTable, address: str) -> None:
    assert countries.country_of(address) is None


@dataclass
class FakeGateway:
    """Log-ins in memory."""

    logins: list[LoginLocation] = field(default_factory=list)
    countries: list[tuple[UUID, str | None]] = field(default_factory=list)
    failure: Exception | None = None

    async def claim_login_locations(self, limit: int) -> list[LoginLocation]:
        return self.logins[:limit]

    async def set_login_countries(self, rows: Sequence[tuple[UUID, str | None]]) -> None:
        if self.failure is not None:
            raise self.failure
        self.countries += rows


async def test_every_log_in_is_settled(countries: CountryTable) -> None:
    known, local, broken = uuid4(), uuid4(), uuid4()
    gateway = FakeGateway(
        [
            LoginLocation(login_id=known, ip="8.8.8.8"),
            LoginLocation(login_id=local, ip="127.0.0.1"),
            LoginLocation(login_id=broken, ip="?"),
        ]
    )
    assert await run_locations(gateway, countries, 10) == 3
    assert gateway.countries == [(known, "US"), (local, None), (broken, None)]


async def test_without_log_ins_the_database_is_not_told_anything(countries: CountryTable) -> None:
    gateway = FakeGateway(failure=RuntimeError("must not be called"))
    assert await run_locations(gateway, countries, 10) == 0


async def test_no_address_in_logs_and_errors(
    countries: CountryTable, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "8.8.4.4"
    gateway = FakeGateway([LoginLocation(login_id=uuid4(), ip=canary)], failure=RuntimeError("database"))
    with pytest.raises(RuntimeError) as caught:
        await run_locations(gateway, countries, 10)
    inside = caught.tb.tb_next  # without this test's own frame, which knows the address
    report = traceback.TracebackException(RuntimeError, caught.value, inside, capture_locals=True)
    out, err = capfd.readouterr()
    assert canary not in "".join(report.format()) + caplog.text + out + err
    assert canary not in repr(gateway.logins), "rows do not show their address"


async def test_the_table_is_never_read_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package would unpickle a file of the right name that lies there: whoever can write to it could run
    code.
    """

    class Planted:
        def __reduce__(self) -> tuple[object, ...]:
            return (pytest.fail, ("the planted file was unpickled",))

    for name in ("geoip2fast-ipv6.dat.gz", "geoip2fast.dat.gz"):
        (tmp_path / name).write_bytes(pickle.dumps(Planted()))
    monkeypatch.chdir(tmp_path)
    assert (await CountryTable.load()).country_of("8.8.8.8") == "US"
