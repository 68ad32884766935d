"""The creator's profile, preferences and media kit; the person edits all of it (P1.2, P7.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

from nexora_client.rows import UNSET, Instant, JsonObject, OwnedRow, Row, Unset, changes
from nexora_client.storage import Upload, remove_object, signed_url, upload_object
from nexora_client.transport import Transport, parse_row

__all__ = [
    "MediaKit",
    "MediaKitContext",
    "Preferences",
    "PreferencesContext",
    "Profile",
    "ProfileContext",
    "Rate",
    "RatesContext",
    "SocialLink",
    "SocialLinksContext",
    "Theme",
    "WeekStart",
]

AVATARS = "avatars"

Theme = Literal["system", "light", "dark"]
WeekStart = Literal["monday", "saturday", "sunday"]


class Profile(Row, frozen=True):
    """How the creator presents themselves."""

    user_id: UUID
    handle: str
    display_name: str | None
    niche: str | None
    bio: str | None
    avatar_path: str | None
    country: str | None
    created_at: Instant
    updated_at: Instant


class Preferences(Row, frozen=True):
    """How the person wants the product to be."""

    user_id: UUID
    language: str
    time_zone: str
    theme: Theme
    week_starts_on: WeekStart
    product_analytics: bool
    mail_notices: bool
    created_at: Instant
    updated_at: Instant


class MediaKit(Row, frozen=True):
    """What brands see of the creator. `contact_email` is for them; it need not be the account's."""

    user_id: UUID
    headline: str | None
    about: str | None
    contact_email: str | None
    audience: JsonObject
    is_published: bool
    created_at: Instant
    updated_at: Instant


class Rate(OwnedRow, frozen=True):
    """What the creator asks for one format on one platform, in minor units of the currency (cents)."""

    platform_id: str
    format: str
    amount_minor: int
    currency: str
    created_at: Instant
    updated_at: Instant


class SocialLink(OwnedRow, frozen=True):
    """A public page of the creator."""

    platform: str
    url: str
    created_at: Instant
    updated_at: Instant


class PreferencesContext:
    """`client.profile.preferences`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Preferences:
        """The person's preferences."""
        return self._transport.select_one(Preferences, "preferences", {})

    def update(
        self,
        *,
        language: str | Unset = UNSET,
        time_zone: str | Unset = UNSET,
        theme: Theme | Unset = UNSET,
        week_starts_on: WeekStart | Unset = UNSET,
        product_analytics: bool | Unset = UNSET,
        mail_notices: bool | Unset = UNSET,
    ) -> Preferences:
        """Change what is given.

        Args:
            language: BCP 47 tag ("en", "pt-BR").
            time_zone: IANA name ("Europe/Berlin").
            product_analytics: False takes effect at once (P7.5).
            mail_notices: whether notices that are worth it come by mail as well.

        Raises:
            ValidationFailed: a value is not one of those allowed.
        """
        columns = changes(
            language=language,
            time_zone=time_zone,
            theme=theme,
            week_starts_on=week_starts_on,
            product_analytics=product_analytics,
            mail_notices=mail_notices,
        )
        return self._transport.update(
            Preferences, "preferences", columns, {"user_id": self._transport.user_id()}
        )


class MediaKitContext:
    """`client.profile.media_kit`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> MediaKit:
        """The person's media kit."""
        return self._transport.select_one(MediaKit, "media_kits", {})

    def update(
        self,
        *,
        headline: str | Unset | None = UNSET,
        about: str | Unset | None = UNSET,
        contact_email: str | Unset | None = UNSET,
        audience: JsonObject | Unset = UNSET,
        is_published: bool | Unset = UNSET,
    ) -> MediaKit:
        """Change what is given; None empties.

        Raises:
            ValidationFailed: a value is not acceptable.
        """
        columns = changes(
            headline=headline,
            about=about,
            contact_email=contact_email,
            audience=audience,
            is_published=is_published,
        )
        return self._transport.update(MediaKit, "media_kits", columns, {"user_id": self._transport.user_id()})


class RatesContext:
    """`client.profile.rates`: the price list of the media kit."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[Rate, ...]:
        """Every rate, by platform."""
        return self._transport.select(Rate, "media_kit_rates", {}, order="platform_id")

    def add(self, platform_id: str, format: str, amount_minor: int, currency: str) -> Rate:  # noqa: A002 (column)
        """Add a rate.

        Args:
            platform_id: id of any platform ("youtube").
            format: what is sold, in snake case ("dedicated_video").
            amount_minor: price in minor units (cents).
            currency: ISO 4217 code ("EUR").

        Raises:
            AlreadyExists: there is a rate for this format in this currency.
            ValidationFailed: a value is not acceptable.
        """
        row = {
            "platform_id": platform_id,
            "format": format,
            "amount_minor": amount_minor,
            "currency": currency,
        }
        return self._transport.insert(Rate, "media_kit_rates", row)

    def update(
        self, rate_id: UUID, *, amount_minor: int | Unset = UNSET, currency: str | Unset = UNSET
    ) -> Rate:
        """Change the price.

        Raises:
            NotFound: the person has no such rate.
        """
        columns = changes(amount_minor=amount_minor, currency=currency)
        return self._transport.update(Rate, "media_kit_rates", columns, {"id": rate_id})

    def remove(self, rate_id: UUID) -> None:
        """Remove a rate.

        Raises:
            NotFound: the person has no such rate.
        """
        self._transport.delete("media_kit_rates", {"id": rate_id})


class SocialLinksContext:
    """`client.profile.social_links`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[SocialLink, ...]:
        """Every link, by platform."""
        return self._transport.select(SocialLink, "social_links", {}, order="platform")

    def add(self, platform: str, url: str) -> SocialLink:
        """Add a link; only `https` is accepted.

        Raises:
            AlreadyExists: the link is listed.
            ValidationFailed: not a link that is accepted.
        """
        return self._transport.insert(SocialLink, "social_links", {"platform": platform, "url": url})

    def remove(self, link_id: UUID) -> None:
        """Remove a link.

        Raises:
            NotFound: the person has no such link.
        """
        self._transport.delete("social_links", {"id": link_id})


class ProfileContext:
    """`client.profile`.

    Attributes:
        preferences: language, time zone and the like.
        media_kit: what brands see.
        rates: its price list.
        social_links: public pages.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.preferences = PreferencesContext(transport)
        self.media_kit = MediaKitContext(transport)
        self.rates = RatesContext(transport)
        self.social_links = SocialLinksContext(transport)

    def get(self) -> Profile:
        """The person's profile."""
        return self._transport.select_one(Profile, "profiles", {})

    def update(
        self,
        *,
        display_name: str | Unset | None = UNSET,
        niche: str | Unset | None = UNSET,
        bio: str | Unset | None = UNSET,
        country: str | Unset | None = UNSET,
    ) -> Profile:
        """Change what is given; None empties. The handle has its own method.

        Args:
            country: ISO 3166-1 alpha-2 code ("DE").

        Raises:
            ValidationFailed: a value is not acceptable.
        """
        columns = changes(display_name=display_name, niche=niche, bio=bio, country=country)
        return self._transport.update(Profile, "profiles", columns, {"user_id": self._transport.user_id()})

    def change_handle(self, handle: str) -> Profile:
        """Take another handle.

        Raises:
            AlreadyExists: it is reserved, or somebody has it or one that looks like it.
            ValidationFailed: not 3 to 30 letters, digits, `_` and `.`, two of them letters or digits.
        """
        return parse_row(Profile, self._transport.call("change_handle", handle=handle))

    def set_avatar(self, image: Upload, mime_type: str) -> Profile:
        """Upload a picture and use it; the one before is removed.

        Args:
            image: its bytes, or a path to read them from.
            mime_type: "image/jpeg", "image/png" or "image/webp".
        """
        owner = self._transport.user_id()
        before = self.get().avatar_path
        suffix = image.suffix if isinstance(image, Path) else ""
        path = f"{owner}/{uuid4()}{suffix}"
        upload_object(self._transport, AVATARS, path, image, mime_type)
        profile = self._transport.update(Profile, "profiles", {"avatar_path": path}, {"user_id": owner})
        if before is not None:
            remove_object(self._transport, AVATARS, before)
        return profile

    def avatar_url(self, *, valid_for_seconds: int = 3600) -> str | None:
        """A URL of the picture that expires (P3.3); None without a picture."""
        path = self.get().avatar_path
        return None if path is None else signed_url(self._transport, AVATARS, path, valid_for_seconds)
