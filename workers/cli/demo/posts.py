"""Scenes about posts: a picture everywhere it fits, a film, a thread, and a line that breaks at the worst moment."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx

from nexora_client import Media, Platform, Post, Problem, Target, TargetState
from nexora_client.errors import IdempotencyKeyReused, ValidationFailed
from nexora_client.rows import JsonObject
from workers.cli.demo.stage import File, Stage

PICTURE_PLATFORMS = (Platform.X, Platform.LINKEDIN, Platform.INSTAGRAM)
FILM_OPTIONS: Mapping[Platform, JsonObject] = {
    Platform.YOUTUBE: {"privacy": "public", "made_for_kids": False, "tags": ["lake", "dawn", "film"]},
    Platform.TIKTOK: {"privacy_level": "PUBLIC_TO_EVERYONE", "is_aigc": False},
}
THREAD = (
    "Three things a lake taught me about light.",
    "One: the best minute comes before the sun does.",
    "Two: fog is not in the way. Fog is the picture.",
)
DROPPED_TEXT = "Behind the scenes: the camera that survived thirty dawns."


def publish_a_picture(stage: Stage) -> Post:
    """One post, one picture, three platforms with their own rules; scheduled twice, published once."""
    steps, ada, given = stage.steps, stage.ada, stage.given
    steps.begin(f"She writes a post of {len(given.text)} characters with {given.picture.path.name}")
    media = _upload(stage, given.picture)
    public = httpx.get(
        f"{stage.service.api_url}/storage/v1/object/public/{media.bucket_id}/{media.object_name}"
    )
    steps.check("without a signed address nobody gets it (P3.3)", public.is_client_error)
    post = ada.content.posts.create(given.text, title="First light")
    ada.content.posts.attach(post.id, media.id, position=1)
    for platform in PICTURE_PLATFORMS:
        ada.publishing.targets.add(post.id, stage.connections[platform].id)
    _fit_to_each_platform(stage, post)
    steps.begin("She schedules it for two seconds from now")
    _schedule_twice(stage, post)
    _watch(stage, post)
    steps.begin("What the platforms received")
    _compare(stage, post, given.picture)
    return post


def publish_a_film(stage: Stage) -> None:
    """A film by YouTube's resumable upload and TikTok's chunks."""
    steps, ada, film = stage.steps, stage.ada, stage.given.film
    steps.begin(f"She publishes {film.path.name} on YouTube and TikTok")
    media = _upload(stage, film)
    post = ada.content.posts.create("Thirty dawns at one lake.", title="First light, the film")
    ada.content.posts.attach(post.id, media.id, position=1)
    for platform in FILM_OPTIONS:
        ada.publishing.targets.add(post.id, stage.connections[platform].id)
    forgotten = {problem.rule for problem in _errors(stage, post)}
    steps.check(f"what the platforms want answered first is named ({len(forgotten)})", bool(forgotten))
    for target in ada.publishing.targets.of_post(post.id):
        ada.publishing.targets.set_options(target.id, FILM_OPTIONS[Platform(target.platform_id)])
    steps.check("with the answers every rule is kept", not _errors(stage, post))
    ada.publishing.publish_now(post.id)
    for target in stage.settled(post):
        steps.check(f"{target.platform_id}: {target.state.value}", _is_published(stage, target))
        (shown,) = stage.service.control.posts(target.platform_id)
        digests = [file.sha256 for file in shown.media]
        steps.check(f"{target.platform_id}: her film, byte for byte", film.sha256 in digests)


def publish_a_thread(stage: Stage) -> None:
    """Three posts on X, each an answer to the one before."""
    steps, ada = stage.steps, stage.ada
    steps.begin("She publishes a thread of three on X")
    post = ada.content.posts.create(THREAD[0])
    target = ada.publishing.targets.add(post.id, stage.connections[Platform.X].id)
    for text in THREAD[1:]:
        ada.publishing.follow_ups.add(target.id, text)
    ada.publishing.publish_now(post.id)
    (settled,) = stage.settled(post)
    steps.check(f"x: {settled.state.value}", _is_published(stage, settled))
    shown = {published.text: published for published in stage.service.control.posts("x")}
    chain = [shown.get(text) for text in THREAD]
    steps.check("all three are there", None not in chain)
    parents = [part.reply_to for part in chain if part]
    ids = [part.id for part in chain if part]
    steps.check("each answers the one before", parents == [None, *ids[:-1]])


def lose_an_answer(stage: Stage) -> Post:
    """X has the post, nobody heard it say so."""
    stage.steps.begin("The line breaks after X took a post and before it said so")
    stage.service.control.add_fault("reset_after", platform="x", method="POST", path="^/x/2/tweets$")
    post = stage.ada.content.posts.create(DROPPED_TEXT)
    stage.ada.publishing.targets.add(post.id, stage.connections[Platform.X].id)
    stage.ada.publishing.publish_now(post.id)
    stage.steps.note("what became of it, the worker asks in a few seconds; the story goes on")
    return post


def see_it_found(stage: Stage, post: Post) -> None:
    """The worker has asked, and never sent twice."""
    steps = stage.steps
    steps.begin("What became of the post whose answer was lost")
    (target,) = stage.settled(post)
    copies = [shown for shown in stage.service.control.posts("x") if shown.text == DROPPED_TEXT]
    steps.check("the worker asked X instead of sending again", target.state is TargetState.PUBLISHED)
    steps.check(f"on X there is exactly one ({len(copies)})", len(copies) == 1)


# --- what the scenes share ----------------------------------------------------------------------------------


def _upload(stage: Stage, file: File) -> Media:
    media = stage.ada.content.media.upload(file.path, file.mime_type, alt_text=file.alt_text or None)
    stage.steps.check(
        f"{file.path.name} is in her private bucket ({media.size_bytes} bytes)", media.size_bytes > 0
    )
    return media


def _errors(stage: Stage, post: Post) -> Sequence[Problem]:
    return [problem for problem in stage.ada.publishing.check(post.id) if problem.severity == "error"]


def _fit_to_each_platform(stage: Stage, post: Post) -> None:
    for target in stage.ada.publishing.targets.of_post(post.id):
        problems = [problem for problem in _errors(stage, post) if problem.target_id == target.id]
        for problem in problems:
            stage.steps.note(f"{target.platform_id}: {problem.message}")
        if any(problem.rule.startswith("text") for problem in problems):
            _expect_refusal(stage, post)
            _shorten(stage, target)
    stage.steps.check("every target keeps the rules of its platform", not _errors(stage, post))


def _expect_refusal(stage: Stage, post: Post) -> None:
    try:
        stage.ada.publishing.schedule(post.id, datetime.now(UTC) + timedelta(hours=1))
    except ValidationFailed as refusal:
        stage.steps.check(f"scheduling it so is refused ({refusal.code}) and nothing is lost", True)
    else:
        stage.steps.check("scheduling it so is refused", False)


def _shorten(stage: Stage, target: Target) -> None:
    """Cut at the end of a word until the database, which knows the platform's way of counting, is content."""
    targets, post = stage.ada.publishing.targets, stage.ada.content.posts.get(target.post_id)
    words = post.body.split(" ")
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        targets.set_text(target.id, " ".join(words[:middle]) + " …")
        if any(problem.target_id == target.id for problem in _errors(stage, post)):
            high = middle - 1
        else:
            low = middle
    targets.set_text(target.id, " ".join(words[:low]) + " …")
    stage.steps.note(f"{target.platform_id} gets a text of its own, {low} of {len(words)} words")


def _schedule_twice(stage: Stage, post: Post) -> None:
    publishing, at, key = stage.ada.publishing, datetime.now(UTC) + timedelta(seconds=2), uuid.uuid4()
    first = publishing.schedule(post.id, at, idempotency_key=key)
    again = publishing.schedule(post.id, at, idempotency_key=key)
    stage.steps.check("clicking twice schedules once", [t.id for t in first] == [t.id for t in again])
    try:
        publishing.schedule(post.id, at + timedelta(days=1), idempotency_key=key)
    except IdempotencyKeyReused:
        stage.steps.check("the same key with another time is refused", True)
    else:
        stage.steps.check("the same key with another time is refused", False)


def _watch(stage: Stage, post: Post) -> None:
    for target in stage.settled(post):
        stage.steps.check(f"{target.platform_id}: {target.state.value}", _is_published(stage, target))
        for event in stage.ada.publishing.events(target.id):
            at = f"{event.at:%H:%M:%S.%f}"[:-3]
            stage.steps.note(f"{at}  {event.from_state.value} → {event.to_state.value}")
        if target.published_at and target.scheduled_at:
            late = target.published_at - target.scheduled_at
            stage.steps.check(f"not early, {late.total_seconds():.1f} s after its time", late >= timedelta(0))


def _is_published(stage: Stage, target: Target) -> bool:
    if target.failure_message:
        stage.steps.note(f"{target.failure_code}: {target.failure_message}")
    return target.state is TargetState.PUBLISHED


def _compare(stage: Stage, post: Post, picture: File) -> None:
    shown = {published.platform: published for published in stage.service.control.posts()}
    for target in stage.ada.publishing.targets.of_post(post.id):
        published = shown[target.platform_id]
        wanted = target.text or post.body
        stage.steps.check(
            f"{target.platform_id}: her words, letter for letter", published.text.strip() == wanted.strip()
        )
        digests = [file.sha256 for file in published.media]
        stage.steps.check(f"{target.platform_id}: her picture, byte for byte", digests == [picture.sha256])
