"""The files of the project, and rules about what may stand in which; each yields a text per violation."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from workers.attestation.secrets import kinds_in
from workers.schema import sqltext

ROOT = Path(__file__).resolve().parents[2]

_GENERATED = ("supabase/migrations/", "supabase/types/", "requirements", "supabase/local/package-lock.json")
_BINARY = {".png", ".jpg", ".jpeg", ".gif", ".mp4", ".mp3", ".wav", ".pdf", ".ico", ".woff2"}

SQL_LINES = 300
CODE_LINES = 450
TEST_LINES = 700

# What a statement of policies/ may begin with; everything else says what exists and belongs to sql/.
_WHO_MAY = re.compile(
    r"""grant\b | revoke\b | alter\s+default\s+privileges\b
      | alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?[\w."]+\s+(?:enable|force)\s+row\s+level\s+security
      | create\s+policy\b | drop\s+policy\s+if\s+exists\b""",
    re.VERBOSE | re.IGNORECASE,
)
# A DO block may grant where a platform differs; it may do nothing else.
_DO_EFFECT = re.compile(r"\b(?:create|alter|drop|insert|update|delete|truncate|comment)\b", re.IGNORECASE)


@cache
def files() -> tuple[str, ...]:
    """Every file that is or could be committed, relative to the root; generated and binary ones included."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(sorted(path for path in set(listed.stdout.splitlines()) if (ROOT / path).is_file()))


def texts() -> Iterator[tuple[str, str]]:
    """(path, content) of every text file."""
    for path in files():
        if Path(path).suffix not in _BINARY:
            yield path, (ROOT / path).read_text(errors="replace")


def who_may_only(path: str, text: str) -> Iterator[str]:
    """Of a file in policies/: statements that do not say who may."""
    for statement in sqltext.statements(text):
        code = sqltext.bare(statement.text)
        grants_in_block = code.startswith("do ") and not _DO_EFFECT.search(code)
        if not _WHO_MAY.match(code) and not grants_in_block:
            yield f"{path}:{statement.line}: {statement.text.splitlines()[0]}"


def what_exists_only(path: str, text: str) -> Iterator[str]:
    """Of a file in sql/: statements that say who may. Bodies of functions are not looked at."""
    for statement in sqltext.statements(text):
        if _WHO_MAY.match(sqltext.bare(statement.text)):
            yield f"{path}:{statement.line}: {statement.text.splitlines()[0]}"


def begins_with_header(path: str, text: str) -> Iterator[str]:
    if not text.startswith("-- "):
        yield f"{path}: begins without a header comment"


def forbidden_in_migrations(path: str, text: str) -> Iterator[str]:
    """Statements that the runners of the platforms do not take."""
    pattern = re.compile(
        r"begin|commit|rollback|vacuum\b.*|\\.*|create\s+(?:unique\s+)?index\s+concurrently\b.*|alter\s+system\b.*",
        re.IGNORECASE | re.DOTALL,
    )
    for statement in sqltext.statements(text):
        code = sqltext.bare(statement.text)
        if pattern.fullmatch(code) or re.search(r"\bbegin\s+atomic\b", code, re.IGNORECASE):
            yield f"{path}:{statement.line}: {statement.text.splitlines()[0]}"


def too_long(path: str, text: str) -> Iterator[str]:
    limit = {
        ".sql": SQL_LINES,
        ".py": CODE_LINES,
        ".mjs": CODE_LINES,
        ".ts": CODE_LINES,
        ".sh": CODE_LINES,
    }.get(Path(path).suffix)
    if limit and path.startswith("tests/"):
        limit = TEST_LINES
    lines = text.count("\n")
    if limit and lines > limit and not path.startswith(_GENERATED):
        yield f"{path}: {lines} lines, at most {limit}"


_HTTP_CLIENT = re.compile(
    r"\bhttpx\.(?:Client|AsyncClient|get|post|put|request|stream)\(|\brequests\.(?:get|post|Session)\(|\burlopen\("
)


def builds_http_client(path: str, text: str) -> Iterator[str]:
    """Of a production module: an HTTP client that is not from workers/http.py, hence without timeouts and TLS
    1.3.
    """
    if path.endswith(".py") and not path.startswith(
        ("workers/http.py", "workers/cli/", "workers/sandbox/", "workers/embedded/")
    ):
        yield from _matches(path, text, _HTTP_CLIENT)


# Spelled so that this file does not contain what it forbids.
_HOSTS = re.compile(
    "|".join(
        [
            "py" + r"pi\.org",
            "python" + r"hosted\.org",
            "npm" + r"js\.(?:org|com)",
            "jsr" + r"\.io",
            r"--index" + "-url",
        ]
    )
)
_SHARED = re.compile(
    r"\.\." + "/" + r"shared\b|/work/" + r"(?:main|shared)\b|/tmp" + r"/(?:contract|lab|stack_ready)"
)


def registry_hosts(path: str, text: str) -> Iterator[str]:
    yield from _matches(path, text, _HOSTS)


def machine_paths(path: str, text: str) -> Iterator[str]:
    yield from _matches(path, text, _SHARED)


def secrets(path: str, text: str) -> Iterator[str]:
    """Strings in the form of a credential. Only their kind is named: a test's output is read by many."""
    for line, kind in kinds_in(text):
        yield f"{path}:{line}: {kind}"


def _matches(path: str, text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    for match in pattern.finditer(text):
        yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
