"""The words of every mail: one function per template of the database.

A letter is plain text in parts; `layout` escapes it. The same values give the same letter, whenever it is made: a
message that is sent again has to be the one that the idempotency key stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from workers.errors import NexoraError

__all__ = ["LETTERS", "Letter", "Places", "UnwritableError", "write"]

Params = Mapping[str, Any]


class UnwritableError(NexoraError):
    """There is no such template, or a value that it needs is missing."""

    code = "unwritable"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says.

    Attributes:
        subject: subject line.
        title: headline of the message.
        paragraphs: the message; a line break inside one stays.
        facts: label and value, shown as a small table.
        button: words and address of the one thing to do.
        small: what stands below the button, in small print.
        preview: what programs show beside the subject.
    """

    subject: str
    title: str
    paragraphs: tuple[str, ...]
    preview: str
    facts: tuple[tuple[str, str], ...] = ()
    button: tuple[str, str] | None = None
    small: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Where links lead.

    Attributes:
        worker_url: the workers' web server, without a trailing slash.
        app_url: the front end; None where the operator named none: then no mail has a button to it.
    """

    worker_url: str
    app_url: str | None = None

    def app(self, label: str, path: str = "") -> tuple[str, str] | None:
        """A button to a page of the product."""
        return None if self.app_url is None else (label, f"{self.app_url}{path}")


def write(template_id: str, params: Params, places: Places) -> Letter:
    """The letter.

    Raises:
        UnwritableError: an unknown template or a missing value; the text names it, never a value.
    """
    make = LETTERS.get(template_id)
    if make is None:
        raise UnwritableError(f"no template {template_id}")
    try:
        return make(params, places)
    except (KeyError, ValueError, TypeError) as error:
        raise UnwritableError(f"{template_id}: {type(error).__name__}") from None  # it quotes a value


def _day(value: str) -> str:
    """`14 March 2026`, in UTC."""
    at = datetime.fromisoformat(value).astimezone(UTC)
    return f"{at.day} {at:%B %Y}"


def _moment(value: str) -> str:
    """`14 March 2026, 09:00 UTC`."""
    at = datetime.fromisoformat(value).astimezone(UTC)
    return f"{_day(value)}, {at:%H:%M} UTC"


def _password_changed(params: Params, places: Places) -> Letter:
    return Letter(
        subject="Your password was changed",
        title="Your password was changed",
        paragraphs=(
            "Somebody, we hope you, set a new password for your account. Every device was signed out at that moment.",
            "If it was not you, set a new password now, with a link to this address.",
        ),
        preview="Every device was signed out. If this was not you, act now.",
        button=places.app("Set a new password", "/reset-password"),
    )


def _erasure_requested(params: Params, places: Places) -> Letter:
    day = _day(params["erase_at"])
    return Letter(
        subject="Your account will be deleted",
        title="We are about to delete your account",
        paragraphs=(
            "You asked us to delete your account and everything in it. It is locked now, your connected accounts are "
            "disconnected, and nothing is published any more.",
            f"Until {day} you can change your mind. After that day it cannot be undone.",
        ),
        preview=f"Until {day} you can change your mind.",
        facts=(("Deletion begins", _moment(params["erase_at"])),),
        button=places.app("Keep my account", "/settings/privacy"),
        small=("Was it not you? Keep the account, then change your password.",),
    )


def _erasure_completed(params: Params, places: Places) -> Letter:
    return Letter(
        subject="Your account has been deleted",
        title="Your account has been deleted",
        paragraphs=(
            "Everything that was yours is gone from our systems. Encrypted backups are overwritten in turn and hold "
            "nothing of it any more after 90 days at the latest.",
            "Invoices, if there were any, are kept for the seven years that the law asks for, apart from everything "
            "else, and are then destroyed.",
            "Thank you for the time you spent with us.",
        ),
        preview="What was yours is gone from our systems.",
        small=("This is the last message to this address. We have not kept it.",),
    )


def _export_ready(params: Params, places: Places) -> Letter:
    return Letter(
        subject="Your data is ready",
        title="Your data is ready",
        paragraphs=(
            "The copy of your data that you asked for is complete. Sign in to download it.",
            "There is no link to the file in this mail on purpose: only you, signed in, can fetch it.",
        ),
        preview="Sign in to download it.",
        facts=(("Available until", _moment(params["expires_at"])),),
        button=places.app("Go to my data", "/settings/privacy"),
    )


def _right_answered(params: Params, places: Places) -> Letter:
    about = {
        "access": "what we hold about you",
        "correct": "correcting your data",
        "object": "your objection",
        "restrict": "restricting the use of your data",
        "export": "a copy of your data",
        "delete": "deleting your account",
    }[params["kind"]]
    return Letter(
        subject="Your request about your data is answered",
        title="Your request is answered",
        paragraphs=(
            f"You asked us about {about}. The answer is in your account.",
            "It is not in this mail on purpose: only you, signed in, can read it.",
        ),
        preview="Sign in to read the answer.",
        facts=(("We got your request on", _moment(params["received_at"])),),
        button=places.app("Read the answer", "/settings/privacy"),
    )


def _guardian_request(params: Params, places: Places) -> Letter:
    child, day = str(params["child"]), _day(params["expires_at"])
    confirm = f"{places.worker_url}/guardian/confirm?token={params['confirm_token']}"
    revoke = f"{places.worker_url}/guardian/revoke?token={params['revoke_token']}"
    return Letter(
        subject=f"{child} asks for your consent",
        title=f"{child} asks for your consent",
        paragraphs=(
            f"{child} is under 18 and wants to use Nexora OS, a tool for people who publish on social networks. "
            "Without the consent of a parent or guardian the account stays closed.",
            "With your consent they can write posts and publish them on accounts that they connect. Nothing is sold, "
            "there is no advertising, and nothing of theirs trains an AI.",
            "If you do not know this person, ignore this mail. Nothing happens without you.",
        ),
        preview="Without the consent of a parent or guardian the account stays closed.",
        facts=(("The link works until", day),),
        button=("Read and decide", confirm),
        small=(
            "Keep this mail. You can take your consent back at any time, and the account closes at once: "
            + revoke,
            "Your address was used for this message alone. We have not kept it.",
        ),
    )


def _incident(params: Params, places: Places) -> Letter:
    paragraphs = (
        str(params["happened"]),
        "What is affected: " + str(params["affected"]),
        "What we are doing: " + str(params["doing"]),
        "What you can do: " + str(params["advice"]),
    )
    return Letter(
        subject=f"Important: {params['title']}",
        title=str(params["title"]),
        paragraphs=paragraphs,
        preview="A security incident concerns your account.",
        facts=(("We became aware on", _moment(params["aware_at"])),),
        button=places.app("Look at my account", "/settings/security"),
        small=("You get this message whatever you chose about mails: it concerns the safety of your data.",),
    )


def _invoice_issued(params: Params, places: Places) -> Letter:
    amount = f"{int(params['amount_minor']) / 100:,.2f} {params['currency']}"
    return Letter(
        subject=f"Invoice {params['number']}",
        title=f"Your invoice {params['number']}",
        paragraphs=("Thank you. Your invoice is ready in your account.",),
        preview=f"{amount}, issued on {_day(params['issued_at'])}.",
        facts=(("Amount", amount), ("Issued", _day(params["issued_at"]))),
        button=places.app("Open the invoice", "/settings/billing"),
    )


def _policy_change(params: Params, places: Places) -> Letter:
    day = _day(params["effective_at"])
    return Letter(
        subject=f"Our privacy policy changes, not before {day}",
        title="Our privacy policy changes",
        paragraphs=(
            str(params["summary"]),
            f"The new version takes effect on {day} at the earliest. Using Nexora OS after it took effect counts as "
            "accepting it.",
            "If you disagree, you can close your account before, and take all of your data with you.",
        ),
        preview=f"Not before {day}. What changes, and what you can do.",
        facts=(("Version", str(params["version"])), ("Takes effect", f"{day}, at the earliest")),
        button=("Read the new version", str(params["url"])),
    )


def _notice(params: Params, places: Places) -> Letter:
    """The words come from `public.notification_texts`, as in the product."""
    title, advice = str(params["title"]), str(params["advice"])
    return Letter(
        subject=title,
        title=title,
        paragraphs=(advice,),
        preview=advice,
        button=places.app("See what happened"),
    )


def _news(params: Params, places: Places) -> Letter:
    subject, body = str(params["subject"]), str(params["body"])
    paragraphs = tuple(part.strip() for part in body.split("\n\n") if part.strip())
    return Letter(
        subject=subject,
        title=subject,
        paragraphs=paragraphs,
        preview=paragraphs[0][:120],
        button=places.app("Open Nexora OS"),
    )


LETTERS: Final[Mapping[str, Callable[[Params, Places], Letter]]] = {
    "password_changed": _password_changed,
    "erasure_requested": _erasure_requested,
    "erasure_completed": _erasure_completed,
    "export_ready": _export_ready,
    "right_answered": _right_answered,
    "guardian_request": _guardian_request,
    "incident": _incident,
    "invoice_issued": _invoice_issued,
    "policy_change": _policy_change,
    "notice": _notice,
    "news": _news,
}
