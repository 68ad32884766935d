"""Attestation: the proof, at any time, that the promises of the privacy policy are kept.

The database runs its own checks; what a database cannot see is checked here. Results are put into one document that
is signed with a key the database never sees, and chained to the one before by its hash.
"""

from workers.attestation.daily import attest_daily, commit_of
from workers.attestation.documents import Attestation, Result, attest_now, verify_chain
from workers.attestation.report import write_report
from workers.attestation.worker_checks import Surroundings

__all__ = [
    "Attestation",
    "Result",
    "Surroundings",
    "attest_daily",
    "attest_now",
    "commit_of",
    "verify_chain",
    "write_report",
]
