"""Outcomes in the words of the database."""

from __future__ import annotations

from workers.gateway import ClaimedTarget, OutcomeName, TargetResult
from workers.providers.base import NeedsReconnect, NotAccepted, Outcome, Published, Rejected, Unknown

__all__ = ["outcome_name", "target_result"]


def outcome_name(claim: ClaimedTarget, outcome: Outcome) -> OutcomeName:
    """What `worker.report_targets` calls this outcome of this claim."""
    match outcome:
        case Published():
            return "published"
        case NotAccepted():
            return "retry"
        case Rejected():
            return "rejected"
        case Unknown():
            return "unconfirmed" if outcome.is_final else "unknown"
        case NeedsReconnect():
            # Whether the earlier attempt got through can no longer be asked.
            return "unconfirmed" if claim.mode == "reconcile" else "reconnect"


def target_result(claim: ClaimedTarget, outcome: Outcome) -> TargetResult:
    """An outcome as `worker.report_targets` takes it."""
    name = outcome_name(claim, outcome)
    if isinstance(outcome, Published):
        return TargetResult(
            claim.target_id,
            claim.attempt,
            name,
            external_id=outcome.external_id,
            external_url=outcome.url,
            http_status=outcome.http_status,
            charge=outcome.charge,
            notice=outcome.notice,
            budget=_budget(outcome),
        )
    return TargetResult(
        claim.target_id,
        claim.attempt,
        name,
        code=outcome.code,
        message=outcome.message if isinstance(outcome, Rejected | NotAccepted) else None,
        http_status=outcome.http_status,
        retry_after_seconds=outcome.retry_after if isinstance(outcome, NotAccepted | Unknown) else None,
        budget=_budget(outcome),
    )


def _budget(outcome: Outcome) -> list[dict[str, object]] | None:
    """What the platform told about its limits, as the database takes it."""
    if not outcome.budget:
        return None
    return [
        {
            "scope": item.scope,
            "name": item.name,
            "limit": item.limit,
            "remaining": item.remaining,
            "resets_at": None if item.resets_at is None else item.resets_at.isoformat(),
        }
        for item in outcome.budget
    ]
