"""The client itself."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from nexora_client.account import AccountContext
from nexora_client.connections import ConnectionsContext
from nexora_client.content import ContentContext
from nexora_client.mail import MailContext
from nexora_client.notifications import NotificationsContext
from nexora_client.policies import PoliciesContext
from nexora_client.privacy import PrivacyContext
from nexora_client.profile import ProfileContext
from nexora_client.publishing import PublishingContext
from nexora_client.scheduling import SchedulingContext
from nexora_client.transport import Transport
from nexora_client.usage import UsageContext

__all__ = ["NexoraClient"]


class NexoraClient:
    """One person's access to Nexora OS. Use it as a context manager, or call `close`.

    ::

        with NexoraClient(url, publishable_key) as client:
            client.account.sign_in(email, password)
            post = client.content.posts.create("First light over the harbour.")
            for connection in client.connections.list():
                client.publishing.targets.add(post.id, connection.id)
            client.publishing.publish_now(post.id)
            targets = client.publishing.wait_until_settled(post.id, timeout=60)

    Tokens are held in memory and renewed when a call finds them about to expire. Every failure is a
    `NexoraError`.

    Args:
        url: base URL of the Supabase project ("https://<project>.supabase.co").
        publishable_key: its publishable key.
        http_timeout: seconds that each request may take, or an `httpx.Timeout`.

    Attributes:
        account: signing up, in and out; sessions.
        profile: profile, preferences, media kit.
        connections: accounts on other platforms.
        content: scripts, posts, captions, media.
        publishing: targets, schedules, outcomes.
        scheduling: local times, slots, series, import, calendar feeds.
        notifications: what the service has to tell.
        mail: which mails are wanted.
        privacy: what is held about the person, and their rights over it.
        policies: versions of the privacy policy.
        usage: counting how the product is used, for whoever does not mind.

    Raises:
        Misconfigured: URL or key cannot be used.
    """

    def __init__(self, url: str, publishable_key: str, *, http_timeout: float | httpx.Timeout = 30.0) -> None:
        self._transport = Transport(url, publishable_key, http_timeout)
        self.account = AccountContext(self._transport)
        self.profile = ProfileContext(self._transport)
        self.connections = ConnectionsContext(self._transport)
        self.content = ContentContext(self._transport)
        self.publishing = PublishingContext(self._transport)
        self.scheduling = SchedulingContext(self._transport)
        self.notifications = NotificationsContext(self._transport)
        self.mail = MailContext(self._transport)
        self.privacy = PrivacyContext(self._transport)
        self.policies = PoliciesContext(self._transport)
        self.usage = UsageContext(self._transport)

    @property
    def user_id(self) -> UUID:
        """Id of the signed-in person.

        Raises:
            NotSignedIn: there is no session.
        """
        return self._transport.user_id()

    def close(self) -> None:
        """Close the connections. The session goes on at the service: `account.sign_out` ends it."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
