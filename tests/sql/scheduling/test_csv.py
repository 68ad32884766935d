"""Tables as spreadsheet programs write them, read back exactly; what is broken is named with its row."""

from __future__ import annotations

import csv
import io

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.querying import rows

READ = "select row_number, fields from private.csv_rows(%s, %s)"


def read(db: psycopg.Connection, text: str, limit: int = 5000) -> list[tuple[int, list[str]]]:
    return rows(db, READ, text, limit)  # type: ignore[return-value]


cells = st.text(st.sampled_from("ab '\",;\t\n=é☕"), max_size=12)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8),
    separator=st.sampled_from(",;\t"),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.sampled_from(["", "\ufeff"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_standard_library_writes_comes_back(
    db: psycopg.Connection, table: list[list[str]], separator: str, ending: str, bom: str, quoting: int
) -> None:
    if ending == "\r":  # the library does not quote \n then, which nobody could read back
        quoting = csv.QUOTE_ALL
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=ending, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([["key", "title", "text"], *table])
    found = [fields for _, fields in read(db, bom + buffer.getvalue())]
    assert found == [
        ["key", "title", "text"],
        *(row for row in table if any(cell.strip(" ") for cell in row)),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2", [(1, ["a", "b"]), (2, ["1", "2"])]),
        ("a,b\r\n\r\n1,2\r\n", [(1, ["a", "b"]), (3, ["1", "2"])]),
        ("sep=|\na|b\n1|2,3", [(2, ["a", "b"]), (3, ["1", "2,3"])]),
        ("\ufeffsep=;\r\na;b\r\n1;2", [(2, ["a", "b"]), (3, ["1", "2"])]),
        ('a;b\n"x;""y""\r\nz";2', [(1, ["a", "b"]), (2, ['x;"y"\nz', "2"])]),
        ('a,b\n"",""\n"""",x\n', [(1, ["a", "b"]), (3, ['"', "x"])]),
        ("a\n1,5\n", [(1, ["a"]), (2, ["1", "5"])]),
        ("", []),
        ("\n\r\n ,\n", []),
    ],
)
def test_examples(db: psycopg.Connection, text: str, expected: list[tuple[int, list[str]]]) -> None:
    assert read(db, text) == expected


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('a,b\n"x', "quote in row 2"), ('a,b\n1,2\n5" screen,1', "quote in row 3"), ('a,b\n"x"y,1', "quote in row 2"),
        ('a,b\n"x" ,1', "quote in row 2"), ('a,b\n"1\n2",x\n"3', "quote in row 3"),
        ('sep=;\na;b\n"x', "quote in row 3"),
        ("a\x01b", "character"), ("a\n" * 7, "rows"), ("x" * 8_000_001, "size"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(db: psycopg.Connection, text: str, detail: str) -> None:
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        read(db, text, 5)
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("NX457", detail)


def test_the_limit_does_not_count_the_header(db: psycopg.Connection) -> None:
    assert len(read(db, "a\n" * 6, 5)) == 6
