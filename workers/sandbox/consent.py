"""The authorization endpoint of every platform: request checks, consent page, redirect with code or error.

RFC 6749 section 4.1.1 and 4.1.2; RFC 9700 section 2.1 (exact redirect URIs, PKCE). A wrong client or
redirect URI is never answered with a redirect. Tests skip the page with `_sandbox_person` (key or handle),
`_sandbox_scopes` and `_sandbox_deny` in the query, or with the control API's auto-approval.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from workers.sandbox import pages
from workers.sandbox.oauth_table import TABLE, Platform
from workers.sandbox.state import Code, Person, State, new_secret
from workers.sandbox.wire import Call

PENDING_SECONDS = 600
_MAX_PENDING = 1_000


class _PageError(Exception):
    """The request cannot be answered with a redirect; the person sees this text."""


@dataclass(frozen=True, slots=True)
class AutoApproval:
    """What the control API decides in place of a person, until reset."""

    person: str
    scopes: frozenset[str] | None = None
    deny: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A checked authorization request that waits for the person's decision."""

    platform: Platform
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str | None
    method: str | None
    offline: bool
    expires_at: float


class Consent:
    """Authorization requests of all platforms."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self.auto: dict[str, AutoApproval] = {}

    def reset(self) -> None:
        self._pending.clear()
        self.auto.clear()

    async def authorize(self, call: Call) -> Response:
        platform = TABLE[call.platform]
        try:
            pending, error = self._check(call, platform)
        except _PageError as problem:
            return HTMLResponse(
                pages.problem(platform.name, str(problem)), 400, headers=pages.SECURITY_HEADERS
            )
        if error:
            return self._redirect(pending, error)
        decided = self._decided(call, platform)
        if decided is not None:
            return self._finish(pending, decided)
        request_id = new_secret()
        self._pending[request_id] = pending
        if len(self._pending) > _MAX_PENDING:
            self._pending.popitem(last=False)
        people = list(self._state.people.values())
        html = pages.consent(
            platform.id, platform.name, request_id, people, pending.scopes, platform.narrowable
        )
        return HTMLResponse(html, headers=pages.SECURITY_HEADERS)

    async def decide(self, call: Call) -> Response:
        """The posted consent form: one decision per request id."""
        form = await call.form()
        pending = self._pending.pop(str(form.get("request", "")), None)
        if pending is None or pending.expires_at <= self._state.now():
            html = pages.problem(
                "Sandbox", "This request was already answered or is too old. Start again from the app."
            )
            return HTMLResponse(html, 400, headers=pages.SECURITY_HEADERS)
        scopes = frozenset(str(s) for s in form.getlist("scope")) if pending.platform.narrowable else None
        decision = AutoApproval(str(form.get("person", "")), scopes, form.get("decision") != "allow")
        return self._finish(pending, decision)

    def _check(self, call: Call, platform: Platform) -> tuple[Pending, dict[str, str]]:
        query = call.query
        if len(query.multi_items()) != len(query):
            raise _PageError("A parameter is given twice.")
        if query.get(platform.client_field) != self._state.client_id(platform.id):
            raise _PageError(f"There is no app with this {platform.client_field}.")
        redirect = query.get("redirect_uri", "")
        if redirect not in self._state.redirect_uris[platform.id]:
            raise _PageError("The redirect_uri does not match a registered one exactly.")
        separators = str.maketrans(dict.fromkeys(platform.separators, " "))
        pending = Pending(
            platform,
            redirect,
            query.get("state"),
            tuple(dict.fromkeys(query.get("scope", "").translate(separators).split())),
            query.get("code_challenge") or None,
            query.get("code_challenge_method"),
            self._is_offline(query.get("scope", "").split(), dict(query), platform),
            self._state.now() + PENDING_SECONDS,
        )
        error = self._find_error(pending, query.get("response_type", ""))
        if error and not platform.redirects_errors:
            raise _PageError(f"You weren't able to give access to the App. {error['error_description']}")
        return pending, error

    def _is_offline(self, scopes: list[str], query: dict[str, str], platform: Platform) -> bool:
        """Whether the client asked for a refresh token and the platform issues any."""
        if platform.refresh == "none":
            return False
        if platform.offline_scope:
            return platform.offline_scope in scopes
        name, value = platform.offline_param
        return not name or query.get(name) == value

    def _find_error(self, pending: Pending, response_type: str) -> dict[str, str]:
        platform = pending.platform
        if response_type != "code":
            return _error("unsupported_response_type", "response_type must be code")
        if platform.state_required and not pending.state:
            return _error("invalid_request", "state is missing")
        if platform.state_max and len(pending.state or "") > platform.state_max:
            return _error("invalid_request", f"state is longer than {platform.state_max} characters")
        approved = self._state.approved_scopes.get(platform.id, platform.standard_scopes)
        unknown = [s for s in pending.scopes if s not in approved]
        if unknown or not pending.scopes:
            name = unknown[0] if unknown else ""
            return _error(platform.scope_error, f'Scope "{name}" is not authorized for your application')
        return self._find_pkce_error(pending)

    def _find_pkce_error(self, pending: Pending) -> dict[str, str]:
        methods = {"S256", "plain"} if pending.platform.pkce == "required" else {"S256", "plain", None}
        if pending.challenge is None and pending.platform.pkce == "required":
            return _error("invalid_request", "code_challenge is missing")
        if pending.challenge is not None and pending.method not in methods:
            return _error("invalid_request", "code_challenge_method must be S256 or plain")
        return {}

    def _decided(self, call: Call, platform: Platform) -> AutoApproval | None:
        query = call.query
        if query.get("_sandbox_deny"):
            return AutoApproval("", deny=True)
        if name := query.get("_sandbox_person"):
            scopes = query.get("_sandbox_scopes")
            return AutoApproval(name, None if scopes is None else frozenset(scopes.split()))
        return self.auto.get(platform.id)

    def _finish(self, pending: Pending, decision: AutoApproval) -> Response:
        if decision.deny:
            return self._redirect(pending, dict(pending.platform.denied))
        person = self._state.person(decision.person)
        if person is None:
            html = pages.problem(pending.platform.name, "There is no such person in the sandbox.")
            return HTMLResponse(html, 400, headers=pages.SECURITY_HEADERS)
        asked = frozenset(pending.scopes)
        return self._grant(pending, person, asked if decision.scopes is None else asked & decision.scopes)

    def _grant(self, pending: Pending, person: Person, scopes: frozenset[str]) -> Response:
        code = Code(
            new_secret(f"{pending.platform.id}-code-"),
            pending.platform.id,
            self._state.client_id(pending.platform.id),
            pending.redirect_uri,
            pending.challenge,
            "S256" if pending.platform.pkce_hex else pending.method or "plain",
            person,
            scopes,
            self._state.now() + pending.platform.code_seconds,
            pending.offline and pending.platform.offline_scope in {"", *scopes},
        )
        self._state.tokens.add_code(code)
        answer = {"code": code.value}
        if pending.platform.scope_in_redirect:
            joined = pending.platform.answer_separator.join(sorted(scopes))
            answer[pending.platform.scope_in_redirect] = joined
        return self._redirect(pending, answer)

    def _redirect(self, pending: Pending, answer: dict[str, str]) -> Response:
        if pending.state is not None:
            answer["state"] = pending.state
        joint = "&" if "?" in pending.redirect_uri else "?"
        url = f"{pending.redirect_uri}{joint}{urlencode(answer)}{pending.platform.fragment}"
        return RedirectResponse(
            url, 302, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"}
        )


def _error(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}
