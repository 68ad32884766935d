"""A person's browser on its way through OAuth, for the demo and the tests."""

from __future__ import annotations

import httpx


class BrowserStoppedError(Exception):
    """A page came up where a redirect was expected."""


def follow_redirects(url: str, home: str) -> httpx.URL:
    """Go where a browser would go, with its cookies, up to the front end's own address `home`.

    Raises:
        BrowserStoppedError: some page on the way did not redirect.
    """
    with httpx.Client(timeout=30) as browser:
        while not url.startswith(home):
            answer = browser.get(url)
            if answer.next_request is None:
                raise BrowserStoppedError(f"{answer.url.path} answered with HTTP {answer.status_code}")
            url = str(answer.next_request.url)
    return httpx.URL(url)
