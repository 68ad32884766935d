"""One layout for every mail, as HTML and as text.

Tables and inline styles, because that is what mail programs draw; light and dark by `prefers-color-scheme`; no
image, no script, no font and nothing else that is fetched, so that opening a mail tells nobody anything (P5.1).
"""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from workers.mail.letters import Letter

__all__ = ["Rendered", "render"]

_LAYOUT: Final = Template(Path(__file__).with_name("layout.html").read_text(encoding="utf-8"))
_WIDTH: Final = 76
_URL: Final = re.compile(r"https?://[^\s<>\"']+")

_PARAGRAPH: Final = (
    '<p class="ink" style="margin:0 0 16px;font-size:16px;line-height:26px;color:#23222a">{}</p>'
)
_SMALL: Final = (
    '<p class="soft" style="margin:0 0 10px;font-size:13px;line-height:20px;word-break:break-word;color:#6d6a78">'
    "{}</p>"
)
_CELL: Final = "border-top:1px solid #e9e6e1;font-size:14px;"
_FACT: Final = (
    f'<tr><td class="soft line" style="padding:11px 16px 11px 0;{_CELL}color:#6d6a78">{{}}</td>'
    f'<td class="ink line" align="right" style="padding:11px 0;{_CELL}font-weight:600;color:#23222a">{{}}</td></tr>'
)
_FACTS: Final = (
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
    'style="margin:8px 0 24px">{}</table>'
)
_BUTTON: Final = (
    '<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:8px 0 26px"><tr>'
    '<td class="go" bgcolor="#2f5d50" style="border-radius:10px;background-color:#2f5d50">'
    '<a class="go-text" href="{url}" style="display:inline-block;padding:13px 24px;font-size:16px;line-height:20px;'
    'font-weight:600;color:#ffffff;text-decoration:none;border-radius:10px">{label}</a></td></tr></table>'
)
_LINK: Final = '<a class="accent" href="{0}" style="color:#2f5d50;text-decoration:underline">{1}</a>'


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is sent: subject, HTML and text."""

    subject: str
    html: str
    text: str


def render(letter: Letter, *, name: str | None, reason: str, unsubscribe_url: str | None) -> Rendered:
    """Draw a letter.

    Args:
        letter: the words.
        name: whom it greets; None greets nobody by name.
        reason: why this person gets it, one sentence.
        unsubscribe_url: where this kind of mail is switched off; None where it cannot be.
    """
    greeting = f"Hello {name}," if name else "Hello,"
    return Rendered(
        subject=_one_line(letter.subject),
        html=_html(letter, greeting, reason, unsubscribe_url),
        text=_text(letter, greeting, reason, unsubscribe_url),
    )


def _html(letter: Letter, greeting: str, reason: str, unsubscribe_url: str | None) -> str:
    body = "".join(_PARAGRAPH.format(_escaped(part)) for part in (greeting, *letter.paragraphs))
    if letter.facts:
        rows = "".join(_FACT.format(_escaped(label), _escaped(value)) for label, value in letter.facts)
        body += _FACTS.format(rows)
    if letter.button:
        label, url = letter.button
        body += _BUTTON.format(url=html.escape(url, quote=True), label=_escaped(label))
    body += "".join(_SMALL.format(_linked(part)) for part in letter.small)
    footer = _escaped(reason)
    if unsubscribe_url:
        footer += " " + _LINK.format(html.escape(unsubscribe_url, quote=True), "Stop these mails")
    return _LAYOUT.substitute(
        title=_escaped(letter.title),
        subject=_escaped(_one_line(letter.subject)),
        preview=_escaped(letter.preview),
        body=body,
        footer=footer,
    )


def _text(letter: Letter, greeting: str, reason: str, unsubscribe_url: str | None) -> str:
    parts = [letter.title.upper(), greeting, *letter.paragraphs]
    if letter.facts:
        parts.append("\n".join(f"{label}: {value}" for label, value in letter.facts))
    if letter.button:
        parts.append(f"{letter.button[0]}:\n{letter.button[1]}")
    parts += letter.small
    parts.append("-- \nNexora OS\n" + reason)
    if unsubscribe_url:
        parts.append(f"Stop these mails: {unsubscribe_url}")
    return "\n\n".join(_wrapped(part) for part in parts) + "\n"


def _wrapped(part: str) -> str:
    return "\n".join(
        textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        if line.strip() != "--"
        else line
        for line in part.split("\n")
    )


def _escaped(text: str) -> str:
    return html.escape(text, quote=True).replace("\n", "<br>")


def _linked(text: str) -> str:
    """Escaped text whose addresses are links."""
    parts, end = [], 0
    for match in _URL.finditer(text):
        url = html.escape(match.group(), quote=True)
        parts += [_escaped(text[end : match.start()]), _LINK.format(url, url)]
        end = match.end()
    return "".join([*parts, _escaped(text[end:])])


def _one_line(text: str) -> str:
    """No line break gets into a header."""
    return " ".join(text.split())
