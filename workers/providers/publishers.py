"""The publishers that a deployment has, put together."""

from __future__ import annotations

from workers import http
from workers.providers.base import Publisher
from workers.providers.instagram import InstagramPublisher
from workers.providers.linkedin import LinkedInPublisher
from workers.providers.tiktok import TikTokPublisher
from workers.providers.x import XPublisher
from workers.providers.youtube import YouTubePublisher
from workers.settings import WorkerSettings
from workers.vault import Vault

__all__ = ["build_publishers"]


def build_publishers(settings: WorkerSettings, client: http.Client, vault: Vault) -> dict[str, Publisher]:
    """The publishers of every platform that this deployment has credentials (or a sandbox) for, by id."""
    publishers: dict[str, Publisher] = {}
    app = settings.app_for("x")
    if app is not None:
        publishers["x"] = XPublisher(client, sandbox_url=app.sandbox_url)
    app = settings.app_for("linkedin")
    if app is not None:
        publishers["linkedin"] = LinkedInPublisher(
            client, version=settings.linkedin_version, sandbox_url=app.sandbox_url
        )
    app = settings.app_for("youtube")
    if app is not None:
        publishers["youtube"] = YouTubePublisher(client, vault, sandbox_url=app.sandbox_url)
    app = settings.app_for("instagram")
    if app is not None:
        publishers["instagram"] = InstagramPublisher(client, sandbox_url=app.sandbox_url)
    app = settings.app_for("tiktok")
    if app is not None:
        url = settings.public_url
        publishers["tiktok"] = TikTokPublisher(client, public_url=url, sandbox_url=app.sandbox_url)
    return publishers
