"""Every refusal of the service has a class of its own in the client's tree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg
import pytest

from nexora_client import errors
from nexora_client.error_codes import NX_ERRORS, class_for
from nexora_client.errors import NexoraError

SQL = Path(__file__).resolve().parents[2] / "sql"
CODE = re.compile(r"^\s*\('(NX\d{3})',", re.MULTILINE)


def registered_in_sources() -> set[str]:
    return {code for file in SQL.rglob("errors.sql") for code in CODE.findall(file.read_text())}


def test_every_code_of_the_sources_has_a_class_of_its_own() -> None:
    registered = registered_in_sources()
    assert registered, "no errors.sql was read"
    unmapped = sorted(code for code in registered if NX_ERRORS.get(code, NexoraError) is NexoraError)
    assert not unmapped, f"map these codes in nexora_client/error_codes.py: {unmapped}"


def test_the_client_maps_no_code_that_the_sources_do_not_have() -> None:
    assert sorted(set(NX_ERRORS) - registered_in_sources()) == []


def test_every_code_of_the_database_has_a_class_of_its_own(db: psycopg.Connection) -> None:
    registered = {code for (code,) in db.execute("select code from private.error_registry")}
    assert registered == registered_in_sources()
    assert all(class_for(code) is not NexoraError for code in registered)


def test_the_completeness_check_notices_a_new_code(tmp_path: Path) -> None:
    """Planted violation: the expression that reads the sources finds a code that nobody mapped."""
    assert CODE.findall("insert into x values\n  ('NX999', 'Message', 'Hint', 400);") == ["NX999"]
    assert class_for("NX999") is NexoraError


def test_the_tree_has_one_root_and_names_every_class() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(one, NexoraError) for one in classes)
    defined = {
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, NexoraError)
    }
    assert defined == set(errors.__all__)
    drawn = errors.__doc__ or ""
    assert [name for name in errors.__all__ if not re.search(rf"\b{name}\b", drawn)] == []


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("42501", None, errors.Forbidden),
        ("23505", None, errors.AlreadyExists),
        ("23514", None, errors.ValidationFailed),
        ("22P02", None, errors.ValidationFailed),
        ("57014", None, errors.ServiceUnavailable),
        ("40001", None, errors.ServiceUnavailable),
        ("55P03", None, errors.ServiceUnavailable),
        ("P0001", None, errors.ServiceFault),
        ("XX000", None, errors.ServiceFault),
        ("PGRST301", None, errors.NotSignedIn),
        ("PGRST303", None, errors.NotSignedIn),
        ("PGRST001", None, errors.ServiceUnavailable),
        ("PGRST202", None, errors.UnexpectedAnswer),
        ("PT409", None, errors.Conflict),
        ("429", None, errors.RateLimited),
        ("502", None, errors.ServiceUnavailable),
        ("500", None, errors.ServiceFault),
        (None, 403, errors.Forbidden),
        ("something_new", 429, errors.RateLimited),
        ("something_new", None, NexoraError),
        (None, None, NexoraError),
    ],
)
def test_codes_of_the_platform(code: str | None, status: int | None, expected: type[NexoraError]) -> None:
    assert class_for(code, status) is expected


def test_text_names_code_and_next_step_but_no_details() -> None:
    error = errors.AlreadyExists(
        "It is taken", code="23505", hint="Choose another.", details="Key (handle)=(ada)"
    )
    assert str(error) == "It is taken [23505] Choose another."
    assert error.details == "Key (handle)=(ada)"


def test_problems_are_read_from_the_details() -> None:
    rows = [
        {
            "rule": "text_length",
            "severity": "error",
            "limit_value": 280,
            "measured": 300,
            "message": "Too long.",
        }
    ]
    error = errors.ValidationFailed("No", code="NX410", details=json.dumps(rows))
    assert [(p.rule, p.limit_value, p.measured) for p in error.problems] == [("text_length", 280, 300)]


@pytest.mark.parametrize("details", [None, "", "not json", "{}", '[{"rule": 1}]', "p_at"])
def test_details_that_hold_no_problems_do_no_harm(details: str | None) -> None:
    assert errors.ValidationFailed("No", details=details).problems == ()
