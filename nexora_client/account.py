"""The person's account: signing up, in and out, and the sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

from nexora_client import errors
from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_row, parse_rows, parse_value, translated

__all__ = ["Account", "AccountContext", "AccountState", "Session", "SignUp"]


class AccountState(StrEnum):
    """Whether an account may act."""

    INCOMPLETE = "incomplete"
    AWAITING_GUARDIAN = "awaiting_guardian"
    ACTIVE = "active"
    RESTRICTED = "restricted"
    """Open to the person's rights alone, as they asked; `privacy.rights.lift_restriction` ends it."""
    LOCKED = "locked"


class Account(Row, frozen=True):
    """The signed-in person's account. Of the date of birth only the year is shown."""

    user_id: UUID
    email: str | None
    state: AccountState
    birth_year: int | None
    guardian_consent_at: Instant | None
    created_at: Instant


class Session(Row, frozen=True):
    """One device or browser on which the person is signed in."""

    id: UUID
    created_at: Instant
    last_active_at: Instant
    browser: str | None
    os: str | None
    country: str | None
    is_current: bool


class SignUp(Row, frozen=True):
    """What a sign-up led to.

    Attributes:
        user_id: the new person.
        is_signed_in: False where the e-mail address must be confirmed first.
    """

    user_id: UUID
    is_signed_in: bool


class AccountContext:
    """`client.account`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._auth = transport.supabase.auth

    def sign_up(self, email: str, password: str, birth_date: date) -> SignUp:
        """Make an account, and sign in where no confirmation of the address is asked for.

        The date of birth decides whether the account may act: under 13 there is none (P9.1), until 18 it
        needs a guardian's consent (P9.2).

        Raises:
            AlreadyExists: the address has an account.
            TooYoung: nobody under 13 can have one.
            ValidationFailed: the password is too weak, or address or date are none.
        """
        data = {"birth_date": birth_date.isoformat()}
        try:
            with translated():
                answer = self._auth.sign_up({"email": email, "password": password, "options": {"data": data}})
        except errors.ServiceFault as fault:
            # Where the hook "Before User Created" is not switched on, Auth hides why the database refused;
            # the date tells whether it had a reason to.
            refusal = _explain_refusal(birth_date)
            if refusal is None:
                raise
            raise refusal from fault
        if answer.user is None:
            raise errors.UnexpectedAnswer("The sign-up was accepted without naming the new person.")
        return SignUp(user_id=UUID(answer.user.id), is_signed_in=answer.session is not None)

    def sign_in(self, email: str, password: str) -> Account:
        """Start a session on this client.

        Raises:
            WrongCredentials: address or password are wrong.
            EmailNotConfirmed: the address must be confirmed first.
            RateLimited: too many attempts.
        """
        with translated():
            self._auth.sign_in_with_password({"email": email, "password": password})
        return self.me()

    def sign_out(self) -> None:
        """End the session of this client, here and at the service. Without a session, do nothing."""
        self._transport.forget_session()

    def sign_out_everywhere(self) -> None:
        """End every session of the person, this one included.

        Raises:
            NotSignedIn: there is no session.
        """
        self._transport.call("sign_out_everywhere")
        self._transport.forget_session()

    def change_password(self, new_password: str) -> None:
        """Set another password. Every session ends at once, this one included (P3.8): sign in again.

        Raises:
            NotSignedIn: there is no session.
            ValidationFailed: the password is too weak, or the old one.
        """
        self._transport.user_id()
        with translated():
            self._auth.update_user({"password": new_password})
        self._transport.forget_session()

    def sessions(self) -> tuple[Session, ...]:
        """Where the person is signed in at this moment."""
        return parse_rows(Session, self._transport.call("list_sessions"))

    def revoke_session(self, session_id: UUID) -> None:
        """End one session of the person.

        Raises:
            NotFound: the person has no such session.
        """
        if not parse_value(bool, self._transport.call("revoke_session", session_id=session_id)):
            raise errors.NotFound("There is no such session.")

    def me(self) -> Account:
        """The signed-in person's account; works before the account may act."""
        return parse_row(Account, self._transport.call("my_account"))

    def request_guardian_consent(self, guardian_name: str, guardian_email: str) -> datetime:
        """Have a parent or guardian mailed a link to consent; answers until when it works (P9.2).

        A new request makes the link before it worthless.

        Raises:
            WrongState: the account needs no guardian, or has one's consent.
            ValidationFailed: name or address are none, or the address is the person's own.
            RateLimited: three times within 24 hours already.
        """
        answer = self._transport.call(
            "request_guardian_consent", guardian_name=guardian_name, guardian_email=guardian_email
        )
        return parse_value(datetime, answer)

    def complete_sign_up(self, birth_date: date) -> AccountState:
        """Give the date of birth that a sign-up through another service left out.

        Raises:
            TooYoung: the person is under 13; the account and everything in it was deleted (P9.1).
            WrongState: another date of birth is on record.
        """
        state = parse_value(str, self._transport.call("complete_sign_up", birth_date=birth_date))
        if state == "refused_under_13":
            self._transport.forget_session()
            raise errors.TooYoung("Nobody under 13 can have an account; what was entered has been deleted.")
        return parse_value(AccountState, state)


def _explain_refusal(birth_date: date) -> errors.NexoraError | None:
    today = datetime.now(UTC).date()
    if birth_date > today or birth_date.year < 1900:
        return errors.ValidationFailed("This is not a valid date of birth.", code="NX102")
    age = today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))
    if age < 13:
        return errors.TooYoung("Nobody under 13 can have an account.", code="NX101")
    return None
