"""The pages that a person may see here: why something did not work, and one question with one button.

Plain HTML without scripts, images or requests to anywhere. Every value is escaped by the one function that
makes it.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from string import Template
from typing import Final

from starlette.responses import HTMLResponse

__all__ = ["CONTENT_SECURITY_POLICY", "FORM_SECURITY_POLICY", "choice_page", "problem_page"]

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1b22; --soft: #6a6775; --paper: #fbfaf8; --card: #fff;
  --line: #e7e4df; --accent: #2f5d50; --on-accent: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f1eff6; --soft: #a5a1b2; --paper: #141318; --card: #1d1c23; --line: #2f2d38;
    --accent: #8fc7b4; --on-accent: #12231d }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.6 ui-sans-serif, system-ui, sans-serif }
main { width: 100%; max-width: 30rem; padding: 2.25rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 1.25rem }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.3; letter-spacing: -.01em; text-wrap: balance }
p { margin: 0 0 1rem }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem }
button { width: 100%; margin-top: .5rem; padding: .8rem 1rem; border: 0; border-radius: .7rem; cursor: pointer;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600 }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
"""

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
$body
<footer>$footer</footer>
</main>
</body>
</html>
""")

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but this page's own style may load."""


def problem_page(*, title: str, message: str, hint: str, code: str, status: int) -> HTMLResponse:
    """The page.

    Args:
        title: what is wrong, in a few words.
        message: one sentence; the full stop is added.
        hint: what to do next.
        code: NX code or HTTP status, for support.
        status: HTTP status of the response, 400 to 599.
    """
    page = _page(title, [f"{message.rstrip('.')}.", hint], footer=f"Nexora OS · {code}")
    return HTMLResponse(page, status_code=status)


def _page(title: str, paragraphs: Sequence[str], *, form: str = "", footer: str = "Nexora OS") -> str:
    body = "\n".join(f"<p>{html.escape(part)}</p>" for part in paragraphs)
    return _PAGE.substitute(
        title=html.escape(title), style=_STYLE, body=body + form, footer=html.escape(footer)
    )


FORM_SECURITY_POLICY: Final = CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'")
"""The same for a page with a button: its form may be sent to this server alone."""

_BUTTON: Final = Template("""<form method="post" action="$action">
<input type="hidden" name="token" value="$token"><button>$label</button></form>""")


def choice_page(
    *, title: str, paragraphs: Sequence[str], action: str = "", token: str = "", label: str = ""
) -> HTMLResponse:
    """A page that says something and, with `label`, has one button. It works without scripts.

    Args:
        title: headline.
        paragraphs: the text.
        action, token, label: path that the button posts `token` to, and its words.
    """
    values = {"action": action, "token": token, "label": label}
    form = _BUTTON.substitute({n: html.escape(v, quote=True) for n, v in values.items()}) if label else ""
    page = _page(title, paragraphs, form=form)
    return HTMLResponse(page, headers={"Content-Security-Policy": FORM_SECURITY_POLICY} if label else None)
