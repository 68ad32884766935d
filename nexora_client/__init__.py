"""Typed Python client of Nexora OS. Start with `NexoraClient`; `nexora_client.errors`: what can go wrong."""

from nexora_client.account import Account, AccountState, Session, SignUp
from nexora_client.client import NexoraClient
from nexora_client.connections import (
    Connection,
    ConnectionState,
    Feature,
    OfferedPlatform,
    Platform,
    PlatformFeature,
)
from nexora_client.content import Caption, Media, MediaKind, MediaRole, Post, PostMedia, Script
from nexora_client.errors import NexoraError
from nexora_client.notifications import Notification
from nexora_client.profile import MediaKit, Preferences, Profile, Rate, SocialLink
from nexora_client.publishing import Target, TargetEvent, TargetState
from nexora_client.rows import UNSET, Problem, Unset

__all__ = [
    "UNSET",
    "Account",
    "AccountState",
    "Caption",
    "Connection",
    "ConnectionState",
    "Feature",
    "Media",
    "MediaKind",
    "MediaKit",
    "MediaRole",
    "NexoraClient",
    "NexoraError",
    "Notification",
    "OfferedPlatform",
    "Platform",
    "PlatformFeature",
    "Post",
    "PostMedia",
    "Preferences",
    "Problem",
    "Profile",
    "Rate",
    "Script",
    "Session",
    "SignUp",
    "SocialLink",
    "Target",
    "TargetEvent",
    "TargetState",
    "Unset",
]
