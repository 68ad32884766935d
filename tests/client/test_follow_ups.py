"""`client.publishing.follow_ups` and costs against the real API."""

from __future__ import annotations

import psycopg
import pytest

from nexora_client import Target, errors
from tests.client.people import Person, connect_account


@pytest.fixture
def target(ada: Person, db_url: str) -> Target:
    connection_id = connect_account(db_url, ada.user_id)
    post = ada.client.content.posts.create("One of three.")
    return ada.client.publishing.targets.add(post.id, connection_id)


def test_parts_come_in_their_order_and_can_be_changed(ada: Person, target: Target) -> None:
    follow_ups = ada.client.publishing.follow_ups
    second, third = follow_ups.add(target.id, "Two."), follow_ups.add(target.id, "Three.")
    assert (second.position, third.position) == (1, 2)
    assert follow_ups.set_body(second.id, "Two, better.").body == "Two, better."
    assert [part.body for part in follow_ups.of_target(target.id)] == ["Two, better.", "Three."]
    with pytest.raises(errors.AlreadyExists):
        follow_ups.add(target.id, "Twice.", position=1)
    follow_ups.remove(third.id)
    assert len(follow_ups.of_target(target.id)) == 1


def test_what_is_out_stays_as_it_is(ada: Person, target: Target, db_url: str) -> None:
    follow_ups = ada.client.publishing.follow_ups
    part = follow_ups.add(target.id, "Two.")
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute(
            "update public.target_follow_ups set external_id = '1', published_at = now() where id = %s",
            (part.id,),
        )
    with pytest.raises(errors.NotFound):
        follow_ups.set_body(part.id, "Changed.")
    with pytest.raises(errors.NotFound):
        follow_ups.remove(part.id)


def test_nothing_is_added_to_what_belongs_to_somebody_else(bob: Person, target: Target) -> None:
    with pytest.raises(errors.NexoraError) as caught:
        bob.client.publishing.follow_ups.add(target.id, "Mine?")
    assert caught.value.code in ("42501", "23503")
    assert bob.client.publishing.follow_ups.of_target(target.id) == ()


def test_costs_by_month(ada: Person, bob: Person, target: Target, db_url: str) -> None:
    assert ada.client.publishing.monthly_costs() == ()
    with psycopg.connect(db_url, autocommit=True) as connection:
        for at in ("2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"):
            connection.execute(
                """insert into public.publish_costs
                     (user_id, target_id, platform_id, charge, amount_micros, currency, charged_at)
                   values (%s, %s, 'x', 'post_create', 15000, 'USD', %s)""",
                (ada.user_id, target.id, at),
            )
    costs = ada.client.publishing.monthly_costs()
    assert [(str(cost.month), cost.calls, cost.amount_micros) for cost in costs] == [
        ("2026-10-01", 1, 15000),
        ("2026-11-01", 2, 30000),
    ]
    assert bob.client.publishing.monthly_costs() == ()
