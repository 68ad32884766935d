"""One error tree; codes of the database become one exception each."""

from __future__ import annotations

import inspect

import pytest

from workers import errors
from workers.errors import (
    AccessRefusedError,
    ConnectionRuleError,
    ContractMismatchError,
    DatabaseBusyError,
    DatabaseError,
    IdentityRuleError,
    NexoraError,
    PlatformRuleError,
    PrivacyRuleError,
    PublishingRuleError,
    RuleError,
    TransportError,
    database_error,
)


def _classes() -> list[type[NexoraError]]:
    return [
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, BaseException) and item.__module__ == errors.__name__
    ]


def test_there_is_one_root() -> None:
    assert all(issubclass(item, NexoraError) for item in _classes())


def test_every_class_is_exported_drawn_and_described() -> None:
    for item in _classes():
        assert item.__name__ in errors.__all__
        assert item.__name__ in (errors.__doc__ or "")
        assert item.__doc__


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NX001", PlatformRuleError),
        ("NX110", IdentityRuleError),
        ("NX150", IdentityRuleError),
        ("NX210", ConnectionRuleError),
        ("NX310", errors.ContentRuleError),
        ("NX420", PublishingRuleError),
        ("NX901", PrivacyRuleError),
        ("NX777", RuleError),
        ("42501", AccessRefusedError),
        ("PGRST301", AccessRefusedError),
        ("401", AccessRefusedError),
        ("PGRST202", ContractMismatchError),
        ("42883", ContractMismatchError),
        ("404", ContractMismatchError),
        ("40001", DatabaseBusyError),
        ("40P01", DatabaseBusyError),
        ("57014", DatabaseBusyError),
        ("53300", DatabaseBusyError),
        ("PGRST003", DatabaseBusyError),
        ("429", DatabaseBusyError),
        ("23505", DatabaseError),
        ("P0001", DatabaseError),
        ("57P01", TransportError),
        ("08006", TransportError),
        ("XX000", TransportError),
        ("502", TransportError),
        ("504", TransportError),
        (None, TransportError),
        ("", TransportError),
    ],
)
def test_code_to_exception(code: str | None, kind: type[NexoraError]) -> None:
    error = database_error("claim_targets", code, "text", "hint", "detail")
    assert type(error) is kind
    if isinstance(error, DatabaseError):
        assert (error.code, error.message, error.hint, error.detail) == (code, "text", "hint", "detail")


def test_what_the_database_says_is_kept_but_not_shown() -> None:
    error = database_error("f", "23505", "canary", "canary", "Key (email)=(canary) exists")
    assert "canary" not in str(error)
    assert "23505" in str(error)
