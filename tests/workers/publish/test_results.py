"""Outcomes in the words of the database."""

from __future__ import annotations

from tests.workers.providers.claims import claim
from workers.jobs.publishing.results import target_result
from workers.providers.base import Published


def test_a_notice_goes_with_the_success() -> None:
    told = target_result(claim(), Published("vid-1", notice="published_privately"))
    assert (told.outcome, told.notice, told.code) == ("published", "published_privately", None)
    assert target_result(claim(), Published("vid-1")).notice is None
