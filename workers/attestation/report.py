"""The report: one HTML file that needs no network, to read, to print, and to hand over."""

from __future__ import annotations

import html
from collections.abc import Mapping
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
    return page.substitute(escaped, sections=_sections(promises))


def _sections(promises: Mapping[str, list[tuple[PromiseText, Result]]]) -> str:
    parts = []
    for number, title in SECTIONS.items():
        own = {name: pairs for name, pairs in promises.items() if name.startswith(f"P{number}.")}
        articles = "".join(_article(name, pairs) for name, pairs in own.items())
        parts.append(f"<section><h2>{number} · {html.escape(title)}</h2>{articles}</section>" if own else "")
    return "".join(parts)


def _article(name: str, pairs: list[tuple[PromiseText, Result]]) -> str:
    checks = "".join(_check(text, result) for text, result in pairs)
    obligation = html.escape(pairs[0][0].obligation)
    return (
        f'<article id="{name}"><div class="id">{name}</div><div><h3>{obligation}</h3>{checks}</div></article>'
    )


def _check(text: PromiseText, result: Result) -> str:
    status = result.status
    tag = f'<span class="tag {status}">{_STATUS[status]}</span>'
    if status == "pending":
        feature = html.escape(str(result.evidence.get("missing_feature", "")))
        return f'<div class="check pending"><p>{tag} <span class="name">feature: {feature}</span></p></div>'
    name = html.escape(result.check or "no check")
    how = html.escape(text.enforced_by or "")
    faults = "".join(f"<li>{html.escape(str(fault))}</li>" for fault in result.evidence.get("faults", ()))
    return (
        f'<div class="check {status}"><p>{tag}<span class="name"><code>{name}</code></span></p><p class="how">{how}</p>'
        + (f'<ul class="faults">{faults}</ul>' if faults else "")
        + f'<p class="evidence">{_evidence(result.evidence)}</p></div>'
    )


def _evidence(evidence: Mapping[str, Any]) -> str:
    return "".join(
        f"<span>{html.escape(name.replace('_', ' '))}: <b>{html.escape(_words(value))}</b></span>"
        for name, value in evidence.items()
        if name != "faults"
    )


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return "none" if value is None else str(value)
