"""A copy of the project's sources and migrations, to plant faults in, and databases to build it in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.embedded import Stack
from workers.schema import baseline, check, generated_types, sources
from workers.schema.scratch import Scratch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def scratch(stack: Stack) -> Scratch:
    """Databases on the embedded stack of this run."""
    return Scratch(stack)


@pytest.fixture(scope="session")
def sound_tree(tmp_path_factory: pytest.TempPathFactory, scratch: Scratch) -> Path:
    """The project's own sources with a current baseline and current types, whatever state those are in in the
    project.
    """
    root = tmp_path_factory.mktemp("tree") / "sound"
    for folder in ("sql", "policies"):
        shutil.copytree(ROOT / folder, root / folder)
    (root / "supabase").mkdir()
    shutil.copy(ROOT / "supabase/config.toml", root / "supabase/config.toml")
    shutil.copy(ROOT / "supabase/advisors.allow.toml", root / "supabase/advisors.allow.toml")
    baseline.write(root, sources.load(root))
    generated_types.write(root, scratch.from_migrations(root))
    return root


@pytest.fixture
def tree(sound_tree: Path, tmp_path: Path) -> Path:
    """A tree of this test's own in which `db check` finds nothing."""
    return Path(shutil.copytree(sound_tree, tmp_path / "tree"))


@pytest.fixture(scope="session")
def migrated(sound_tree: Path, scratch: Scratch) -> str:
    """Name of a database that the migrations of the sound tree built; clone it, never write to it."""
    scratch.from_migrations(sound_tree, "schema_migrated")
    return "schema_migrated"


@pytest.fixture
def faults_of(scratch: Scratch) -> Callable[[Path], dict[str, tuple[str, ...]]]:
    """Runs `db check` on a tree: question → faults, for the questions with faults."""

    def run(root: Path) -> dict[str, tuple[str, ...]]:
        outcomes: list[check.Outcome] = []
        passed = check.run(root, scratch, outcomes.append)
        assert passed == all(not outcome.faults for outcome in outcomes)
        return {outcome.question: outcome.faults for outcome in outcomes if outcome.faults}

    return run
