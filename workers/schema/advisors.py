"""`./nexora db advise`: the official linters and what they miss, against a list of allowed findings.

The advisors of CLI 3.1 stop at lint 0024, and look at a table only when a role of the API may read it. So
three checks of ours stand next to them: row level security on every table, and the two lints about definer
functions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from workers.schema import catalogue, tools
from workers.schema.errors import SchemaError

ALLOW_FILE = "supabase/advisors.allow.toml"
_OWN_CHECKS = {
    "nexora_rls_disabled": (
        "ERROR",
        """select format('Table `%%s` does not have row level security enabled', c.oid::regclass),
             c.oid::regclass::text
           from pg_class c where c.relnamespace::regnamespace::text = any(%(own)s) and c.relkind in ('r', 'p')
             and not c.relrowsecurity""",
    ),
    "nexora_definer_in_exposed_schema": (
        "WARN",
        """select format('Function `%%s` in an exposed schema is security definer', p.oid::regprocedure),
             p.oid::regprocedure::text
           from pg_proc p where p.prosecdef and p.pronamespace::regnamespace::text in ('public', 'worker')""",
    ),
    "nexora_definer_executable_by_anon": (
        "ERROR",
        """select format('Security definer function `%%s` can be executed by anon', p.oid::regprocedure),
             p.oid::regprocedure::text
           from pg_proc p where p.prosecdef and p.pronamespace::regnamespace::text = any(%(own)s)
             and has_function_privilege('anon', p.oid, 'execute')""",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One finding: `lint` and `subject` together identify it in the list of allowed ones."""

    lint: str
    level: str
    subject: str
    detail: str


@dataclass(frozen=True)
class Allowance:
    """An entry of `supabase/advisors.allow.toml`; `subject` may hold `*` where one reason holds for all."""

    lint: str
    subject: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        return finding.lint == self.lint and fnmatchcase(finding.subject, self.subject)


@dataclass(frozen=True)
class Advice:
    """`refused` must be mended, `stale` entries of the list removed; `allowed` is for the reader."""

    refused: tuple[Finding, ...]
    allowed: tuple[tuple[Finding, Allowance], ...]
    stale: tuple[Allowance, ...]

    @property
    def passed(self) -> bool:
        return not self.refused and not self.stale


def advise(root: Path, url: str) -> Advice:
    """Runs every check against the database at `url` and compares with the list of the tree at `root`."""
    return judge([*_official(url), *_own(url)], allowances(root))


def judge(findings: Sequence[Finding], allowed: Sequence[Allowance]) -> Advice:
    """Sorts findings by the list: the first entry that covers a finding allows it."""
    covered = [
        (finding, next((entry for entry in allowed if entry.covers(finding)), None)) for finding in findings
    ]
    used = {entry for _, entry in covered}
    return Advice(
        refused=tuple(finding for finding, entry in covered if entry is None),
        allowed=tuple((finding, entry) for finding, entry in covered if entry is not None),
        stale=tuple(entry for entry in allowed if entry not in used),
    )


def allowances(root: Path) -> list[Allowance]:
    """The allowed findings.

    Raises:
        SchemaError: an entry lacks lint, subject or reason, or stands there twice.
    """
    with (root / ALLOW_FILE).open("rb") as stream:
        entries = tomllib.load(stream).get("allow", [])
    found = []
    for entry in entries:
        if set(entry) != {"lint", "subject", "reason"} or not all(
            str(value).strip() for value in entry.values()
        ):
            raise SchemaError(f"{ALLOW_FILE}: every [[allow]] has lint, subject and reason: {entry}")
        found.append(Allowance(**entry))
    if len({(entry.lint, entry.subject) for entry in found}) != len(found):
        raise SchemaError(f"{ALLOW_FILE}: an entry stands there twice")
    return found


def _official(url: str) -> Iterator[Finding]:
    for result in tools.advisor_findings(url):
        where = result["metadata"]
        parts = [where.get("schema"), where.get("name"), where.get("fkey_name")]
        subject = ".".join(str(part) for part in parts if part)
        yield Finding(result["name"], result["level"], subject or result["cacheKey"], result["detail"])


def _own(url: str) -> Iterator[Finding]:
    with catalogue.connect(url) as connection:
        for lint, (level, query) in _OWN_CHECKS.items():
            for detail, subject in connection.execute(query.encode(), {"own": list(catalogue.OWN_SCHEMAS)}):
                yield Finding(lint, level, subject, detail)
