"""Fixed-window counters for the platforms' rate limits."""

from __future__ import annotations

from dataclasses import dataclass

from workers.sandbox.state import State

_MAX_WINDOWS = 50_000


@dataclass(slots=True)
class Window:
    """One counter: `limit` calls until `resets_at` (seconds since 1970)."""

    limit: int
    resets_at: float
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


class Limiter:
    """Counters by rule and subject. A rule's limit can be replaced in `State.limits` (control API)."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._windows: dict[tuple[str, str], Window] = {}

    def clear(self) -> None:
        self._windows.clear()

    def spend(self, rule: str, subject: str, limit: int, seconds: int) -> tuple[Window, bool]:
        """Counts one call; the boolean says whether it was within the limit."""
        now = self._state.now()
        limit = self._state.limits.get(rule, limit)
        window = self._windows.get((rule, subject))
        if window is None or window.resets_at <= now or window.resets_at > now + seconds:
            if len(self._windows) >= _MAX_WINDOWS:
                self._windows.clear()
            window = self._windows[rule, subject] = Window(limit, now + seconds)
        window.limit = limit
        is_within = window.used < limit
        window.used += is_within
        return window, is_within

    def spend_until(self, rule: str, limit: int, resets_at: float, cost: int = 1) -> tuple[Window, bool]:
        """The same for a counter of the whole application with a fixed end and a price per call."""
        limit = self._state.limits.get(rule, limit)
        window = self._windows.get((rule, "app"))
        if window is None or window.resets_at != resets_at:
            window = self._windows[rule, "app"] = Window(limit, resets_at)
        window.limit = limit
        is_within = window.used + cost <= limit
        window.used += cost if is_within else 0
        return window, is_within
