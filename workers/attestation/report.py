"""The report: one HTML file that needs no network, to read, to print, and to hand over."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any, Final

from workers.attestation.documents import Attestation, Result
from workers.gateway import PromiseText

__all__ = ["write_report"]

SECTIONS: Final = {
    "1": "What is collected",
    "2": "What it is used for",
    "3": "Storage and security",
    "4": "Third parties",
    "5": "Cookies and tracking",
    "6": "Social accounts",
    "7": "Rights",
    "8": "Retention",
    "9": "Children",
    "10": "International",
    "11": "Changes of the policy",
    "12": "Contact",
}

_STATUS: Final = {"pass": "proven", "fail": "not proven", "pending": "pending"}

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:?\d\d)")

_Promises = Mapping[str, Sequence[tuple[PromiseText, Result]]]
_HERE: Final = Path(__file__).parent


def write_report(path: Path, attestation: Attestation, *, is_stored: bool) -> None:
    """Write the report.

    Args:
        path: where to; its folder is made.
        is_stored: whether the attestation was signed and stored, which the report states.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_render(attestation, is_stored), encoding="utf-8")


def _render(attestation: Attestation, is_stored: bool) -> str:
    pairs = list(zip(attestation.texts, attestation.results, strict=True))
    promises: dict[str, list[tuple[PromiseText, Result]]] = {}
    for text, result in pairs:
        promises.setdefault(text.promise_id, []).append((text, result))
    values = {
        "day": f"{attestation.attested_at:%Y-%m-%d}",
        "date": f"{attestation.attested_at:%d %B %Y, %H:%M:%S} UTC",
        "passed": str(attestation.count("pass")),
        "failed": str(attestation.count("fail")),
        "pending": str(attestation.count("pending")),
        "promises": str(len(promises)),
        "good": "good" if attestation.count("pass") else "",
        "bad": "bad" if attestation.count("fail") else "",
        "wait": "wait" if attestation.count("pending") else "",
        "database": attestation.database,
        "commit": attestation.commit,
        "guards": attestation.head.guards_hash,
        "seq": str(attestation.head.seq + 1),
        "before": attestation.head.hash if attestation.head.seq else "none: this is the first",
        "hash": attestation.hash,
        "signature": "signed (HMAC-SHA-256) and stored" if is_stored else "not signed: shown, but not stored",
    }
    escaped = {name: html.escape(value) for name, value in values.items()}
    page = Template((_HERE / "report.html").read_text(encoding="utf-8"))
    return page.substitute(
        escaped, overview=_overview(promises), exceptions=_exceptions(promises), sections=_sections(promises)
    )


def _by_section(promises: _Promises) -> list[tuple[str, str, _Promises]]:
    """Number, title and promises of every section that has any."""
    found: list[tuple[str, str, _Promises]] = []
    for number, title in SECTIONS.items():
        own = {name: pairs for name, pairs in promises.items() if name.startswith(f"P{number}.")}
        if own:
            found.append((number, title, own))
    return found


def _overview(promises: _Promises) -> str:
    """One line per section: every promise with its worst result, each leading to its article."""
    return "".join(
        f"<tr><th>{number}</th><td>{html.escape(title)}</td><td>"
        + "".join(
            f'<a class="tag {_worst(pairs)}" href="#{name}" title="{_STATUS[_worst(pairs)]}">{name}</a>'
            for name, pairs in own.items()
        )
        + "</td></tr>"
        for number, title, own in _by_section(promises)
    )


def _worst(pairs: Sequence[tuple[PromiseText, Result]]) -> str:
    found = {result.status for _, result in pairs}
    return next(status for status in ("fail", "pending", "pass") if status in found)


def _exceptions(promises: _Promises) -> str:
    """What a reader must not overlook: everything that is not proven, and why."""
    lines = [
        f'<li><a href="#{name}">{name}</a> {_tag(result.status)} {_reason(result)}</li>'
        for name, pairs in promises.items()
        for _, result in pairs
        if result.status != "pass"
    ]
    failed = sum(result.status == "fail" for pairs in promises.values() for _, result in pairs)
    lead = "Every check that could be run held." if not failed else f"{failed} of the checks did not hold."
    return f"<p>{lead}</p>" + (f"<ul>{''.join(lines)}</ul>" if lines else "")


def _tag(status: str) -> str:
    return f'<span class="tag {status}">{_STATUS[status]}</span>'


def _reason(result: Result) -> str:
    if result.status == "pending":
        feature = html.escape(str(result.evidence.get("missing_feature", "")))
        return f"This version has no feature “{feature}”, and holds no such data."
    faults = [html.escape(str(fault)) for fault in result.evidence.get("faults", ())]
    return "; ".join(faults) or "no reason given"


def _sections(promises: _Promises) -> str:
    return "".join(
        f"<section><h2>{number} · {html.escape(title)}</h2>"
        + "".join(_article(name, pairs) for name, pairs in own.items())
        + "</section>"
        for number, title, own in _by_section(promises)
    )


def _article(name: str, pairs: Sequence[tuple[PromiseText, Result]]) -> str:
    checks = "".join(_check(text, result) for text, result in pairs)
    obligation = html.escape(pairs[0][0].obligation)
    return (
        f'<article id="{name}"><div class="id">{name}</div><div><h3>{obligation}</h3>{checks}</div></article>'
    )


def _check(text: PromiseText, result: Result) -> str:
    status = result.status
    tag = _tag(status)
    if status == "pending":
        return f'<div class="check pending"><p>{tag} <span class="how">{_reason(result)}</span></p></div>'
    name = html.escape(result.check or "no check")
    how = html.escape(text.enforced_by or "")
    faults = "".join(f"<li>{html.escape(str(fault))}</li>" for fault in result.evidence.get("faults", ()))
    return (
        f'<div class="check {status}"><p>{tag}<span class="name"><code>{name}</code></span></p><p class="how">{how}</p>'
        + (f'<ul class="faults">{faults}</ul>' if faults else "")
        + f'<p class="evidence">{_evidence(result.evidence)}</p></div>'
    )


def _evidence(evidence: Mapping[str, Any]) -> str:
    return "Found: " + "".join(
        f"<span>{html.escape(name.replace('_', ' '))} <b>{html.escape(_words(value))}</b></span>"
        for name, value in evidence.items()
        if name != "faults"
    )


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return f"{datetime.fromisoformat(value).astimezone(UTC):%d %B %Y, %H:%M} UTC"
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        return f"{value[:16]}…"
    return "none" if value is None else str(value)
