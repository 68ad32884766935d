"""Files in the tree that are written from a database: types and the retention table."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GeneratedFile"]


@dataclass(frozen=True)
class GeneratedFile:
    """A file of the tree.

    Attributes:
        path: relative to the root of the tree.
        command: what people run to renew it.
    """

    path: str
    command: str

    def write(self, root: Path, text: str) -> bool:
        """Writes the file; returns whether it changed."""
        if self._found(root) == text:
            return False
        path = root / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return True

    def faults(self, root: Path, wanted: str) -> list[str]:
        """How the file differs from what it should be; empty when it is current."""
        found = self._found(root)
        if found == wanted:
            return []
        changes = difflib.unified_diff(
            found.splitlines(), wanted.splitlines(), "in the tree", "generated", lineterm="", n=2
        )
        return ["\n".join([f"{self.path}: stale; run {self.command}", *changes])]

    def _found(self, root: Path) -> str:
        path = root / self.path
        return path.read_text() if path.exists() else ""
