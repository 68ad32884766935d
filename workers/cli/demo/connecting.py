"""Scenes about connected accounts: connecting, what is kept of the tokens, breaking, repairing, disconnecting."""

from __future__ import annotations

from nexora_client import Connection, ConnectionState, Feature, Platform, TargetState
from workers.cli.browser import follow_redirects
from workers.cli.demo.stage import PASSWORD, PLATFORM_NAMES, Stage
from workers.cli.local import APP_REDIRECT

SEALED_RECORD_MAGIC = b"NXT"


def connect_all(stage: Stage) -> None:
    """Ada connects an account on every platform."""
    stage.steps.begin(f"She connects {', '.join(PLATFORM_NAMES.values())}")
    for platform in PLATFORM_NAMES:
        stage.connections[platform] = _connect(stage, platform)


def _connect(stage: Stage, platform: Platform) -> Connection:
    name = PLATFORM_NAMES[platform]
    stage.service.control.auto_approve(platform, "ada")
    url = stage.ada.connections.begin(platform, [Feature.PROFILE, Feature.PUBLISH], APP_REDIRECT)
    code = follow_redirects(url, APP_REDIRECT).params.get("connection_code", "")
    stage.steps.check(f"{name}: the browser came back with a one-time code", bool(code))
    connection = stage.ada.connections.confirm(code)
    stage.steps.check(
        f"{name}: {connection.display_name or connection.handle} is {connection.state.value}",
        connection.state is ConnectionState.ACTIVE,
    )
    return connection


def look_into_the_vault(stage: Stage) -> None:
    """Tokens are sealed, and a dump opens nothing (P3.4, P3.5, P1.1)."""
    stage.steps.begin("What the database keeps of her tokens and her password")
    with stage.database() as connection:
        sealed = connection.execute(
            "select sealed_access from private.token_vault"
            " union all select sealed_revocation from private.token_vault"
        ).fetchall()
    is_sealed = bool(sealed) and all(bytes(row[0]).startswith(SEALED_RECORD_MAGIC) for row in sealed)  # type: ignore[call-overload]
    stage.steps.check(
        f"{len(sealed)} tokens, each sealed with AES-256-GCM for its row alone (P3.4)", is_sealed
    )
    everything = stage.service.dump()
    secrets = [PASSWORD, *stage.service.keyring_keys()]
    found = [secret for secret in secrets if secret.encode() in everything]
    stage.steps.check(
        f"a dump of {len(everything) // 1024} KB holds neither password nor key (P1.1, P3.5)", not found
    )


def break_and_repair(stage: Stage) -> None:
    """LinkedIn takes the grant back; what was scheduled waits, and goes out once she has connected again (P6.8)."""
    steps, ada = stage.steps, stage.ada
    steps.begin("LinkedIn takes the grant back, and she repairs it")
    stage.service.control.revoke(Platform.LINKEDIN, "ada")
    post = ada.content.posts.create("Notes from the thirtieth dawn.")
    broken = stage.connections[Platform.LINKEDIN]
    target = ada.publishing.targets.add(post.id, broken.id)
    ada.publishing.publish_now(post.id)
    steps.eventually(
        "the worker notices: the connection needs her",
        lambda: ada.connections.get(broken.id).state is ConnectionState.NEEDS_RECONNECT,
    )
    with stage.database() as database:
        left = database.execute(
            "select count(*) from private.token_vault where connection_id = %s", (broken.id,)
        ).fetchone()
    steps.check("the dead tokens are deleted (P6.8)", left == (0,))
    steps.check("she is told", any(notice.subject_id == broken.id for notice in ada.notifications.list()))
    state = ada.publishing.targets.get(target.id).state
    steps.check(f"her post waits and is not lost ({state.value})", state is not TargetState.PUBLISHED)
    stage.connections[Platform.LINKEDIN] = _connect(stage, Platform.LINKEDIN)
    steps.check("it is the same account as before", stage.connections[Platform.LINKEDIN].id == broken.id)
    steps.eventually(
        "and the post goes out by itself",
        lambda: ada.publishing.targets.get(target.id).state is TargetState.PUBLISHED,
    )


def disconnect(stage: Stage) -> None:
    """Tokens are gone at once, and the platform is told (P6.7)."""
    stage.steps.begin("She disconnects X")
    connection = stage.connections[Platform.X]
    state = stage.ada.connections.disconnect(connection.id).state
    with stage.database() as database:
        left = database.execute(
            "select count(*) from private.token_vault where connection_id = %s", (connection.id,)
        ).fetchone()
    stage.steps.check(f"the connection is {state.value} and its tokens are gone (P6.7)", left == (0,))
    stage.steps.eventually(
        "X was told to revoke them", lambda: bool(stage.service.control.records("x", "POST", "revoke"))
    )
