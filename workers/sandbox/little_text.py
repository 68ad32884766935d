"""LinkedIn's "little Text Format", the language of a post's `commentary`.

A reserved character that is neither escaped nor part of a mention, hashtag or template ends the text:
LinkedIn answers 201 and publishes what stands before it. That silent cut is what clients report, so the
sandbox cuts too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

RESERVED = r"|{}@[]()<>#\*_~"
MAX_LENGTH = 3_000  # characters of the text as members read it ("UGC Post API": maximum length)

_ESCAPED = re.compile(rf"\\([{re.escape(RESERVED)}])")
_PLAIN = re.compile(rf"[^{re.escape(RESERVED)}]+")
_MENTION = re.compile(r"@\[((?:\\.|[^\]\\])+)\] ?\((urn:li:(?:person|organization):[\w-]+)\)")
_HASHTAG = re.compile(r"#(\w+)")
_TEMPLATE = re.compile(r"\{hashtag\\?\|\\?[#＃]\\?\|((?:\\.|[^|}\\])+)\}")


@dataclass(frozen=True, slots=True)
class LittleText:
    """A parsed commentary: what members read, what was kept of the source, whether something was cut."""

    text: str
    source: str
    is_cut: bool
    hashtags: tuple[str, ...]
    mentions: tuple[str, ...]


def parse(source: str) -> LittleText:
    """Reads `source` up to its end or to the first reserved character that stands alone."""
    parts: list[str] = []
    hashtags: list[str] = []
    mentions: list[str] = []
    position = 0
    while position < len(source):
        if match := _PLAIN.match(source, position):
            parts.append(match.group())
        elif match := _ESCAPED.match(source, position):
            parts.append(match.group(1))
        elif match := _MENTION.match(source, position):
            parts.append(_unescape(match.group(1)))
            mentions.append(match.group(2))
        elif match := _HASHTAG.match(source, position) or _TEMPLATE.match(source, position):
            hashtags.append(_unescape(match.group(1)))
            parts.append("#" + hashtags[-1])
        else:
            break
        position = match.end()
    is_cut = position < len(source)
    return LittleText("".join(parts), source[:position], is_cut, tuple(hashtags), tuple(mentions))


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
