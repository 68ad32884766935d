"""What a source tree may look like, and what an error in it says."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from workers.schema import sources
from workers.schema.errors import ApplyError, SourceError
from workers.schema.scratch import Scratch


def _tree(root: Path, build: str, files: dict[str, str]) -> Path:
    for path, text in {"sql/build.sql": build, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


FILES = {"sql/10_a/x.sql": "-- x", "policies/10_a/x.sql": "-- p", "sql/20_b/y.sql": "-- y"}
BUILD = "-- contents\n\n\\ir 10_a/x.sql\n\\ir ../policies/10_a/x.sql\n\\ir 20_b/y.sql\n"


def test_contexts_are_read_in_order(tmp_path: Path) -> None:
    contexts = sources.load(_tree(tmp_path, BUILD, FILES))
    assert [(c.label, c.number, c.name, [f.path for f in c.files]) for c in contexts] == [
        ("10_a", 10, "a", ["sql/10_a/x.sql", "policies/10_a/x.sql"]),
        ("20_b", 20, "b", ["sql/20_b/y.sql"]),
    ]


@pytest.mark.parametrize(
    ("build", "files", "fault"),
    [
        (BUILD + "select 1;\n", FILES, "sql/build.sql:6: neither a comment nor"),
        (BUILD + "\\ir ../other/x.sql\n", FILES, "sql/build.sql:6: neither a comment nor"),
        (BUILD + "\\ir 20_b/y.sql\n", FILES, "lists sql/20_b/y.sql more than once"),
        (BUILD + "\\ir 20_b/gone.sql\n", FILES, "lists sql/20_b/gone.sql, which does not exist"),
        (BUILD, {**FILES, "sql/20_b/new.sql": "--"}, "sql/20_b/new.sql: not listed in sql/build.sql"),
        (BUILD, {**FILES, "sql/deep/20_b/new.sql": "--"}, "its name is not NN_context/stem.sql"),
        ("\\ir 20_b/y.sql\n\\ir 10_a/x.sql\n\\ir ../policies/10_a/x.sql\n", FILES, "must stand before"),
        ("\\ir ../policies/10_a/x.sql\n\\ir 10_a/x.sql\n\\ir 20_b/y.sql\n", FILES, "must stand before"),
        (
            BUILD + "\\ir ../policies/20_b/z.sql\n",
            {**FILES, "policies/20_b/z.sql": "--"},
            "has no twin sql/20_b/z.sql",
        ),
        (BUILD + "\\ir 20_c/z.sql\n", {**FILES, "sql/20_c/z.sql": "--"}, "number 20 belongs to"),
    ],
)
def test_a_tree_that_breaks_a_rule_is_refused(
    tmp_path: Path, build: str, files: dict[str, str], fault: str
) -> None:
    with pytest.raises(SourceError) as caught:
        sources.load(_tree(tmp_path, build, files))
    assert fault in str(caught.value)


def test_a_failing_statement_is_named_by_file_line_and_sqlstate(tmp_path: Path, scratch: Scratch) -> None:
    text = (
        "-- x\ncreate table public.kept (id int);\n\ncreate table public.x (\n  id int,\n  y nonsense\n);\n"
    )
    _tree(tmp_path, "\\ir 10_a/x.sql\n", {"sql/10_a/x.sql": text})
    url = scratch.bare("sources_error")
    with psycopg.connect(url) as connection, pytest.raises(ApplyError) as caught:
        sources.apply(tmp_path, connection)
    assert str(caught.value).splitlines()[0] == 'sql/10_a/x.sql:6: 42704 type "nonsense" does not exist'
    with psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('public.kept')").fetchone() == (None,)


def test_sources_are_applied_without_superuser_rights(tmp_path: Path, scratch: Scratch) -> None:
    _tree(tmp_path, "\\ir 10_a/x.sql\n", {"sql/10_a/x.sql": "alter system set work_mem = '1MB';"})
    with psycopg.connect(scratch.bare("sources_rights")) as connection, pytest.raises(ApplyError):
        sources.apply(tmp_path, connection)
