"""Scenes about the account: sign-up, another person, a new password."""

from __future__ import annotations

from datetime import date, timedelta

from nexora_client import NexoraClient, NexoraError, Post
from nexora_client.errors import NotSignedIn, TooYoung
from workers.cli.demo.stage import PASSWORD, Stage


def sign_up(stage: Stage) -> None:
    """A child is refused; Ada gets an account, a profile and a handle (P9.1, P1.2)."""
    steps = stage.steps
    steps.begin("Ada signs up")
    try:
        stage.client().account.sign_up(
            f"kid.{stage.email}", PASSWORD, date.today() - timedelta(days=12 * 365)
        )
    except TooYoung as refusal:
        steps.check(f"a twelve-year-old is refused by the database ({refusal.code})", True)
    else:
        steps.check("a twelve-year-old is refused by the database", False)
    stage.ada.account.sign_up(stage.email, PASSWORD, date(1990, 5, 17))
    account, profile = stage.ada.account.me(), stage.ada.profile.get()
    steps.check(f"her account is {account.state}", account.state == "active")
    steps.check(f"a profile was made for her: @{profile.handle}", bool(profile.handle))
    renamed = stage.ada.profile.change_handle("ada.films")
    steps.check(f"she takes the handle @{renamed.handle}", renamed.handle == "ada.films")
    stage.service.control.add_person("ada", "Ada Lakes", "adafilms", "Films one lake, every dawn")


def try_as_somebody_else(stage: Stage, post: Post) -> NexoraClient:
    """What is Ada's does not exist for Bob (P3.6). Answers his client."""
    stage.steps.begin("Bob, signed in as well, looks for what is Ada's")
    bob = stage.client()
    bob.account.sign_up(f"bob.{stage.email}", PASSWORD, date(1985, 1, 1))
    seen = [*bob.content.posts.list(), *bob.content.media.list(), *bob.connections.list()]
    stage.steps.check("he sees none of her posts, files and connections (P3.6)", not seen)
    try:
        bob.publishing.publish_now(post.id)
    except NexoraError as refusal:
        stage.steps.check(f"publishing her post: {type(refusal).__name__}, as if it did not exist", True)
    else:
        stage.steps.check("publishing her post is refused", False)
    return bob


def change_password(stage: Stage) -> None:
    """A new password ends every session at once (P3.8)."""
    stage.steps.begin("She changes her password")
    other_device = stage.client()
    other_device.account.sign_in(stage.email, PASSWORD)
    stage.ada.account.change_password(PASSWORD + "!")
    try:
        gone = not list(other_device.content.posts.list())
    except NotSignedIn:
        gone = True
    stage.steps.check("the access token on her other device reads nothing any more (P3.8)", gone)
