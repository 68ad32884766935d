"""plpgsql_check finds nothing in our functions, on Postgres 15, where Debian's packages are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.schema import baseline, lint

pytestmark = pytest.mark.skipif(
    not lint.is_available(), reason=f"needs Debian's {' and '.join(lint.PACKAGES)}"
)


def test_a_planted_fault_is_found_and_nothing_else(tree: Path) -> None:
    path = tree / baseline.MIGRATIONS / max(baseline.existing(tree))
    fault = """create function private.plant_it() returns int language plpgsql stable set search_path = ''
      as $$
               declare v_unused int;
               begin return (select nonsense from private.settings limit 1); end $$;"""
    path.write_text(f"{path.read_text()}\n{fault}\n")
    issues = lint.issues(tree)
    found = [issue for issue in issues if issue.function == "private.plant_it"]
    assert any("nonsense" in issue.message and issue.level == "error" for issue in found)
    assert [issue for issue in issues if issue not in found] == []
