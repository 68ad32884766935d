"""The steps of the demo: shown as they happen, and kept for the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from rich.console import Console


class DemoFailedError(Exception):
    """A check did not hold; the text says which."""


@dataclass
class Step:
    """One step and what was seen in it."""

    title: str
    lines: list[tuple[Literal["check", "note"], str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


class Steps:
    """Prints steps, notes and checks; a check that does not hold ends the demo."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.steps: list[Step] = []
        self.held = 0

    def begin(self, title: str) -> None:
        """Start the next step."""
        self.steps.append(Step(title))
        self._console.print(f"\n[bold]{len(self.steps)}. {title}[/bold]")

    def note(self, text: str) -> None:
        """Something worth seeing that is no check."""
        self.steps[-1].lines.append(("note", text))
        self._console.print(f"   [dim]{text}[/dim]")

    def check(self, text: str, holds: bool) -> None:
        """Something that must hold.

        Raises:
            DemoFailedError: it does not.
        """
        if not holds:
            self._console.print(f"   [red]✗ {text}[/red]")
            raise DemoFailedError(f"this did not hold: {text}")
        self.held += 1
        self.steps[-1].lines.append(("check", text))
        self._console.print(f"   [green]✓[/green] {text}")

    def eventually(self, text: str, condition: Callable[[], bool], timeout: float = 30) -> None:
        """Something that must hold within `timeout` seconds.

        Raises:
            DemoFailedError: it did not.
        """
        give_up = time.monotonic() + timeout
        while not (holds := condition()) and time.monotonic() < give_up:
            time.sleep(0.1)
        self.check(text, holds)
