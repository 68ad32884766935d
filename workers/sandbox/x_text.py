"""How X counts, cuts and shows the text of a post ("Counting Characters", "Edit Posts" data dictionary of
entities).

Independent of the publisher's own counting on purpose: two implementations that must agree.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

MAX_WEIGHT = 280
MAX_WEIGHT_PREMIUM = 25_000
_URL_WEIGHT = 23
_SINGLE = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # weight 1; every other code point weighs 2

_GENERIC = (
    "com|net|org|info|biz|edu|gov|mil|int|name|pro|app|dev|blog|shop|store|online|site|xyz|tech|cloud|live|"
    "news|media|agency|studio|design|art|world|life|today|space|page|link|social|video|music|film|photo|"
    "photos|academy"
)
_SHORT = (
    "ac|ag|ai|am|at|be|br|ca|cc|ch|cn|co|cz|de|dk|es|eu|fi|fm|fr|gg|gl|gr|hu|ie|il|im|in|io|is|it|jp|kr|la|"
    "li|lt|lu|"
    "lv|ly|me|mx|nl|no|nz|pl|pt|ro|rs|ru|se|sg|sh|si|sk|st|to|tv|uk|us|vc|za"
)
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
_PATH = r"(?:/(?:[^\s<>\"'(),;\u3000-\u303f]|\([^\s()]*\)|[,;'](?=\w))*)?"
_TAIL = rf"(?::\d{{1,5}})?{_PATH}(?:\?[^\s<>\"()]*)?(?:#[^\s<>\"()]*)?"
_URL = re.compile(
    rf"(?<![@#$\w./-])(?:https?://{_HOST}[a-z]{{2,24}}(?![a-z0-9-]){_TAIL}"
    rf"|{_HOST}(?:{_GENERIC}|co|tv)(?![\w-]){_TAIL}"
    rf"|{_HOST}(?:{_SHORT})(?![\w-])(?=/){_TAIL})",
    re.IGNORECASE,
)
_EMOJI_BASE = (
    r"(?:[\U0001F1E6-\U0001F1FF]{2}|[#*0-9]\ufe0f?\u20e3|[\u00a9\u00ae]\ufe0f"
    r"|[\U0001F000-\U0001F1E5\U0001F200-\U0001F3FA\U0001F400-\U0001FAFF"
    r"\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff"
    r"\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299]\ufe0f?)"
)
_EMOJI_ONE = rf"{_EMOJI_BASE}[\U0001F3FB-\U0001F3FF]?(?:[\U000E0020-\U000E007E]+\U000E007F)?"
_EMOJI = re.compile(rf"{_EMOJI_ONE}(?:\u200d{_EMOJI_ONE})*")
_TRAILING = re.compile(r"[.,:;!?'\"]+$")
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?![\w$])")
_MENTION = re.compile(r"(?<![\w@])@([A-Za-z0-9_]{1,15})(?!\w)")
_HASHTAG = re.compile(r"(?<![\w&#])[#＃](\w*[^\W\d_]\w*)")


@dataclass(frozen=True, slots=True)
class Link:
    """A URL in a text: where it stands and what stands there."""

    start: int
    end: int
    url: str

    @property
    def expanded(self) -> str:
        return self.url if "://" in self.url else f"http://{self.url}"


def find_links(text: str) -> list[Link]:
    """URLs as X links them. Sentence punctuation at the end is no part of a URL."""
    links = []
    for match in _URL.finditer(text):
        url = _TRAILING.sub("", match.group())
        links.append(Link(match.start(), match.start() + len(url), url))
    return links


def weighted_length(text: str) -> int:
    """Weight of a text after NFC normalization; 280 is the limit of an account without a subscription."""
    text = unicodedata.normalize("NFC", text)
    total, position = 0, 0
    for link in find_links(text):
        total += _plain_weight(text[position : link.start]) + _URL_WEIGHT
        position = link.end
    return total + _plain_weight(text[position:])


def _plain_weight(text: str) -> int:
    emoji = len(_EMOJI.findall(text))
    return 2 * emoji + sum(map(_weight, _EMOJI.sub("", text)))


def _weight(character: str) -> int:
    point = ord(character)
    return 1 if any(low <= point <= high for low, high in _SINGLE) else 2


def count_cashtags(text: str) -> int:
    return len(_CASHTAG.findall(text))


def mentions(text: str) -> list[str]:
    """Handles that a text mentions, lower case, without the sign."""
    return [name.lower() for name in _MENTION.findall(text)]


def short_url(seed: str) -> str:
    """The t.co address of a URL: always 23 characters, stable for one seed."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return f"https://t.co/{digest[:10]}"


def shown_text(text: str, post_id: str, media_keys: list[str]) -> tuple[str, dict[str, Any]]:
    """The text as the API returns it (links wrapped by t.co, media link at the end, &<> escaped) and its
    entities.

    Entity positions count code points of the returned text.
    """
    parts, urls, position, length = [], [], 0, 0
    for link in find_links(text):
        before = html.escape(text[position : link.start], quote=False)
        short = short_url(f"{post_id} {link.url}")
        length += len(before)
        urls.append(_url_entity(length, short, link.expanded))
        parts += [before, short]
        length += len(short)
        position = link.end
    parts.append(html.escape(text[position:], quote=False))
    if media_keys:
        before = " " if text else ""
        short = short_url(f"{post_id} media")
        length += len(parts[-1]) + len(before)
        urls.append(_url_entity(length, short, f"https://x.com/i/status/{post_id}/photo/1", media_keys[0]))
        parts += [before, short]
    shown = "".join(parts)
    return shown, _entities(shown, urls)


def _url_entity(start: int, short: str, expanded: str, media_key: str = "") -> dict[str, Any]:
    display = re.sub(r"^https?://(www\.)?", "", expanded)
    entity: dict[str, Any] = {
        "start": start,
        "end": start + len(short),
        "url": short,
        "expanded_url": expanded,
        "display_url": display if len(display) <= 26 else display[:26] + "…",
    }
    return {**entity, "media_key": media_key} if media_key else entity


def _entities(shown: str, urls: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "urls": urls,
        "hashtags": [
            {"start": m.start(), "end": m.end(), "tag": m.group(1)} for m in _HASHTAG.finditer(shown)
        ],
        "mentions": [
            {"start": m.start(), "end": m.end(), "username": m.group(1)} for m in _MENTION.finditer(shown)
        ],
    }
    return {name: items for name, items in found.items() if items}
