"""Shows how two catalogues differ, so that a DBA sees what to change where."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

_CONTEXT_LINES = 1


def difference(
    found: Mapping[str, str], wanted: Mapping[str, str], *, found_in: str, wanted_in: str
) -> list[str]:
    """One entry per thing that is only on one side or defined differently; empty when the catalogues are
    equal.
    """
    entries = [f"only in the {wanted_in}: {name}" for name in sorted(wanted.keys() - found.keys())]
    entries += [f"only in the {found_in}: {name}" for name in sorted(found.keys() - wanted.keys())]
    for name in sorted(found.keys() & wanted.keys()):
        if found[name] != wanted[name]:
            lines = _changed_lines(found[name], wanted[name])
            entries.append("\n".join([f"differs: {name}  (- {found_in}, + {wanted_in})", *lines]))
    return entries


def _changed_lines(found: str, wanted: str) -> Iterator[str]:
    changes = difflib.unified_diff(found.splitlines(), wanted.splitlines(), lineterm="", n=_CONTEXT_LINES)
    for line in changes:
        if not line.startswith(("---", "+++", "@@")):
            yield f"    {line}"
