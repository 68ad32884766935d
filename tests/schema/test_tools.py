"""What the official tools get to see of a deployment."""

from __future__ import annotations

import pytest

from workers.schema import tools
from workers.schema.errors import ToolError
from workers.schema.scratch import Scratch

FAR = "postgresql://postgres:" + "p%40ss" + "@db.example:5432/postgres"


def test_the_password_is_in_the_environment_and_not_in_the_arguments() -> None:
    assert tools._without_password(FAR) == "postgresql://postgres@db.example:5432/postgres"
    assert tools._environment(FAR)["PGPASSWORD"] == "p@ss"


def test_a_far_database_is_never_reached_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert tools._environment(FAR)["PGSSLMODE"] == "require"
    assert "PGSSLMODE" not in tools._environment(f"{FAR}?sslmode=verify-full")
    assert "PGSSLMODE" not in tools._environment("postgresql://postgres@127.0.0.1/postgres")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert tools._environment(FAR)["PGSSLMODE"] == "verify-full"


def test_nothing_else_of_the_deployment_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUPABASE_SECRET_KEY", "SUPABASE_DB_URL", "NEXORA_TOKEN_KEYRING"):
        monkeypatch.setenv(name, "planted")
    assert "planted" not in tools._environment(FAR).values()


def test_a_failing_tool_is_quoted_without_the_password(scratch: Scratch) -> None:
    url = scratch.stack.url("does_not_exist")
    with pytest.raises(ToolError, match="does not exist") as caught:
        tools.generated_types(url)
    assert scratch.stack.secrets.postgres_password not in str(caught.value)
