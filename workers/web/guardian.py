"""The pages behind the two links that a guardian is mailed: consent, and take it back (P9.2).

Plain pages without scripts. Opening a link changes nothing; its button does.
"""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from workers.errors import RuleError
from workers.gateway import GuardianRequest
from workers.web.mail import form_token, token_hash
from workers.web.pages import choice_page, problem_page

__all__ = ["GuardianGateway", "GuardianPages"]


class GuardianGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def find_guardian_request(self, token_hash: str) -> GuardianRequest:
        """See `Gateway.find_guardian_request`."""
        ...

    async def confirm_guardian_request(self, token_hash: str) -> str:
        """See `Gateway.confirm_guardian_request`."""
        ...

    async def withdraw_guardian_consent(self, token_hash: str) -> str:
        """See `Gateway.withdraw_guardian_consent`."""
        ...


class GuardianPages:
    """Handlers. `gateway`: the database."""

    def __init__(self, gateway: GuardianGateway) -> None:
        self._gateway = gateway

    async def ask(self, request: Request) -> Response:
        """GET `/guardian/confirm`: what the consent means, with a button."""
        token = request.query_params.get("token", "")
        found = await self._found(token)
        if found is None or found.state == "withdrawn":
            return _unknown_link()
        child = found.child_name or "This person"
        if found.state == "given":
            return _given(child)
        return choice_page(
            title=f"Do you consent to {child} using Nexora OS?",
            paragraphs=(
                f"{child} named you, {found.guardian_name}, as parent or guardian. They are under 18, and the account "
                "stays closed without your consent.",
                "With it they can write posts and publish them on accounts that they connect. Nothing is sold, there "
                "is no advertising, and nothing of theirs trains an AI.",
                "You can take it back at any time with the second link of the mail. If you are not the parent or "
                "guardian, just close this page.",
            ),
            action="/guardian/confirm",
            token=token,
            label="I am the parent or guardian, and I consent",
        )

    async def confirm(self, request: Request) -> Response:
        """POST `/guardian/confirm`."""
        hashed = token_hash(await form_token(request))
        try:
            if hashed is None:
                return _unknown_link()
            await self._gateway.confirm_guardian_request(hashed)
        except RuleError:
            return _unknown_link()
        return _given("This person")

    async def ask_back(self, request: Request) -> Response:
        """GET `/guardian/revoke`: what taking it back means, with a button."""
        token = request.query_params.get("token", "")
        found = await self._found(token)
        if found is None:
            return _unknown_link()
        if found.state == "withdrawn":
            return _withdrawn()
        child = found.child_name or "this person"
        return choice_page(
            title="Take your consent back?",
            paragraphs=(
                f"The account of {child} closes to use at once. Nothing is deleted: they can still see, export and "
                "delete what is theirs.",
            ),
            action="/guardian/revoke",
            token=token,
            label="Take my consent back",
        )

    async def withdraw(self, request: Request) -> Response:
        """POST `/guardian/revoke`."""
        hashed = token_hash(await form_token(request))
        try:
            if hashed is None:
                return _unknown_link()
            await self._gateway.withdraw_guardian_consent(hashed)
        except RuleError:
            return _unknown_link()
        return _withdrawn()

    async def _found(self, token: str) -> GuardianRequest | None:
        hashed = token_hash(token)
        if hashed is None:
            return None
        try:
            return await self._gateway.find_guardian_request(hashed)
        except RuleError:
            return None


def _given(child: str) -> Response:
    return choice_page(
        title="Thank you",
        paragraphs=(
            f"{child} can use Nexora OS now.",
            "Keep our mail: its second link takes your consent back, at any time.",
        ),
    )


def _withdrawn() -> Response:
    return choice_page(
        title="Your consent is taken back",
        paragraphs=("The account is closed to use from this moment on.",),
    )


def _unknown_link() -> Response:
    return problem_page(
        title="This link is not valid any more",
        message="It has expired, was replaced by a newer one, or was taken back",
        hint="Whoever named you can send a new one.",
        code="NX942",
        status=404,
    )
