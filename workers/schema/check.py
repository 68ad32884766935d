"""`./nexora db check`: proves that the migrations build exactly what the sources say.

Database A is built from the sources, B from `supabase/migrations` by the official runner. They are compared
twice: by `pgdelta`, and by our own reading of the catalogue and the rows (`catalogue`), which covers what
pgdelta leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from workers.schema import baseline, catalogue, compare, generated_types, sources, tools
from workers.schema.errors import SchemaError
from workers.schema.scratch import Scratch

_LEDGER_DIFFERENCE = """
select 'in private.definer_ledger, but no security definer function: ' || function_name
  from private.definer_ledger
where function_name not in (select p.pronamespace::regnamespace || '.' || p.proname from pg_proc p
  where p.prosecdef)
union all
select 'security definer function without a row in private.definer_ledger: ' || p.pronamespace::regnamespace
  || '.' || p.proname
from pg_proc p where p.prosecdef and p.pronamespace::regnamespace::text = any(%s)
  and p.pronamespace::regnamespace || '.' || p.proname not in (select function_name
    from private.definer_ledger)
order by 1
"""


@dataclass(frozen=True)
class Outcome:
    """One question and its answer; no faults means yes."""

    question: str
    faults: tuple[str, ...]


def run(root: Path, scratch: Scratch, report: Callable[[Outcome], None]) -> bool:
    """Asks every question about the tree at `root`, reports each answer, returns whether all are yes."""
    passed = True
    for outcome in _outcomes(root, scratch):
        report(outcome)
        passed = passed and not outcome.faults
    return passed


def _outcomes(root: Path, scratch: Scratch) -> Iterator[Outcome]:
    try:
        contexts = sources.load(root)
    except SchemaError as error:
        yield Outcome("the source tree is in order", (str(error),))
        return
    yield Outcome("the source tree is in order", tuple(sources.dependency_faults(contexts)))
    yield Outcome(
        "the migration files follow from the sources",
        _faults_of(lambda: baseline.baseline_faults(root, contexts)),
    )
    try:
        from_sources = scratch.from_sources(root)
        from_migrations = scratch.from_migrations(root)
    except SchemaError as error:
        yield Outcome("sources and migrations can be applied", (str(error),))
        return
    yield Outcome("sources and migrations can be applied", ())
    # Types before the comparison, which drops the monthly partitions.
    yield Outcome("the generated types are current", tuple(generated_types.faults(root, from_migrations)))
    yield from comparison(from_sources, from_migrations)


def comparison(from_sources: str, from_migrations: str) -> Iterator[Outcome]:
    """What two scratch databases, named by URL, must agree on. Their monthly partitions are dropped."""
    with catalogue.connect(from_sources) as a, catalogue.connect(from_migrations) as b:
        yield Outcome("the definer ledger equals the catalogue", tuple(_ledger_faults(b)))
        for connection in (a, b):
            catalogue.drop_dated_partitions(connection)
        differences = compare.difference(
            catalogue.read(b), catalogue.read(a), found_in="migrations", wanted_in="sources"
        )
        yield Outcome("catalogue and reference rows are the same", tuple(differences))
    difference = tools.schema_difference(from_migrations, from_sources)
    yield Outcome("pgdelta sees no difference", (difference,) if difference else ())


def _ledger_faults(connection: psycopg.Connection[tuple[str]]) -> list[str]:
    return [fault for (fault,) in connection.execute(_LEDGER_DIFFERENCE, (list(catalogue.OWN_SCHEMAS),))]


def _faults_of(question: Callable[[], list[str]]) -> tuple[str, ...]:
    try:
        return tuple(question())
    except SchemaError as error:
        return (str(error),)
