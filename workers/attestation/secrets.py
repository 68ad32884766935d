"""What keys of services look like, and the scan of a source tree for them (P3.5, P3.9)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["PATTERNS", "files_of", "kinds_in", "scan"]

PATTERNS: Final = {
    "API key": r"sb_(?:secret|publishable)_[A-Za-z0-9_-]{16,}",
    "JSON web token": r"eyJ(?<!\weyJ)[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.",
    "private key": "-----BEGIN (?:[A-Z]+ )?PRIVATE" + " KEY-----",
    "cloud access key": r"AKIA(?<!\wAKIA)[0-9A-Z]{16}\b",
    "payment key": r"[sr]k_(?<!\w.k_)(?:live|test)_[A-Za-z0-9]{16,}",
    "forge token": r"g(?<!\wg)(?:h[pousr]_[A-Za-z0-9]{30,}|ithub_pat_[A-Za-z0-9_]{30,}|lpat-[A-Za-z0-9_-]{20,})",
    "AI provider key": r"(?:gsk(?<!\wgsk)|sk-(?<!\wsk-)(?:ant|proj))[_-][A-Za-z0-9_-]{20,}",
    "mail key": r"re_(?<!\wre_)[A-Za-z0-9]{8,}_[A-Za-z0-9]{16,}",
    "chat token": r"xox(?<!\wxox)[abprs]-[A-Za-z0-9-]{10,}",
    "password in a URL": r"postgres(?<!\wpostgres)(?:ql)?://[\w.-]+:[^\s@{}<>$*'\"]+@",
    "keyring": r'"key":\s*"[A-Za-z0-9+/]{43}="',
}
"""Kind of credential to its form. Each begins with its letters, which a search finds fast, and looks back from there
for a boundary: a leading `\\b` would be tried at every place of six million characters."""

_SKIPPED: Final = frozenset({".git", ".nexora", "node_modules", "__pycache__", ".venv", "venv"})
_LARGEST: Final = 2_000_000


def kinds_in(text: str) -> Iterator[tuple[int, str]]:
    """(line, kind) of each credential in a text; never the credential itself."""
    for kind, pattern in PATTERNS.items():
        for match in re.finditer(pattern, text):
            yield text.count("\n", 0, match.start()) + 1, kind


def files_of(root: Path) -> Iterator[Path]:
    """The sources below a directory: no packages of others, no private settings (`.env`), nothing huge."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in _SKIPPED and not name.endswith("_cache"))
        for name in sorted(files):
            path = Path(folder, name)
            if name != ".env" and path.is_file() and path.stat().st_size <= _LARGEST:
                yield path


def scan(root: Path) -> tuple[int, list[str]]:
    """How many files were read, and `path:line: kind` of every credential in them."""
    count, found = 0, []
    for path in files_of(root):
        text = path.read_text(encoding="utf-8", errors="ignore")
        count += 1
        found += [f"{path.relative_to(root)}:{line}: {kind}" for line, kind in kinds_in(text)]
    return count, found
