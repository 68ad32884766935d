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
from nexora_client.consents import Choice, Processor, Purpose
from nexora_client.content import Caption, Media, MediaKind, MediaRole, Post, PostMedia, Script
from nexora_client.erasure import Erasure, ErasureState
from nexora_client.errors import NexoraError
from nexora_client.follow_ups import FollowUp, MonthlyCost
from nexora_client.mail import MailCategory, MailChoice
from nexora_client.notifications import Notification
from nexora_client.platform_rules import PlatformOption, PlatformRule
from nexora_client.policies import PolicyVersion
from nexora_client.privacy import Export, ExportState, HeldData, LawfulBasis
from nexora_client.profile import MediaKit, Preferences, Profile, Rate, SocialLink
from nexora_client.publishing import Target, TargetEvent, TargetState
from nexora_client.rights import Right, RightsRequest, RightsRequestState
from nexora_client.rows import UNSET, Problem, Unset
from nexora_client.scheduling_rows import (
    CalendarFeed,
    ImportProblem,
    ImportReport,
    LocalTime,
    NewCalendarFeed,
    NewSeries,
    Occurrence,
    OccurrenceState,
    QueueSlot,
    Series,
    SlotTime,
    TargetLocalTime,
)
from nexora_client.usage import ScreenClass, UsageEvent

__all__ = [
    "UNSET",
    "Account",
    "AccountState",
    "CalendarFeed",
    "Caption",
    "Choice",
    "Connection",
    "ConnectionState",
    "Erasure",
    "ErasureState",
    "Export",
    "ExportState",
    "Feature",
    "FollowUp",
    "HeldData",
    "ImportProblem",
    "ImportReport",
    "LawfulBasis",
    "LocalTime",
    "MailCategory",
    "MailChoice",
    "Media",
    "MediaKind",
    "MediaKit",
    "MediaRole",
    "MonthlyCost",
    "NewCalendarFeed",
    "NewSeries",
    "NexoraClient",
    "NexoraError",
    "Notification",
    "Occurrence",
    "OccurrenceState",
    "OfferedPlatform",
    "Platform",
    "PlatformFeature",
    "PlatformOption",
    "PlatformRule",
    "PolicyVersion",
    "Post",
    "PostMedia",
    "Preferences",
    "Problem",
    "Processor",
    "Profile",
    "Purpose",
    "QueueSlot",
    "Rate",
    "Right",
    "RightsRequest",
    "RightsRequestState",
    "ScreenClass",
    "Script",
    "Series",
    "Session",
    "SignUp",
    "SlotTime",
    "SocialLink",
    "Target",
    "TargetEvent",
    "TargetLocalTime",
    "TargetState",
    "Unset",
    "UsageEvent",
]
