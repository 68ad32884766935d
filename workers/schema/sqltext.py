"""Cuts SQL text into statements, knowing strings, dollar quotes and comments, without understanding them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# One alternative per thing that may hide a semicolon. Block comments nest, so they are not here.
_TOKEN = re.compile(
    r"""
    (?P<line>--[^\n]*)
  | (?P<block>/\*)
  | (?P<escape>\b[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*")
  | (?P<dollar>(?<![\w$])\$(?:[A-Za-z_]\w*)?\$)
  | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Statement:
    """`text` without comments before it and without the semicolon; `line` counts from 1."""

    text: str
    line: int


@dataclass(frozen=True)
class _Span:
    kind: str
    start: int
    end: int


def statements(text: str) -> Iterator[Statement]:
    """Yields the statements of `text` in order; pieces of comments and blanks only are no statements."""
    begin = 0
    for span in [*_spans(text), _Span("end", len(text), len(text))]:
        if span.kind != "end":
            continue
        start = _skip_blanks(text, begin, span.start)
        if start < span.start:
            yield Statement(text[start : span.start].rstrip(), text.count("\n", 0, start) + 1)
        begin = span.end


def without_comments(text: str) -> str:
    """Replaces comments outside of strings and dollar quotes by blanks; offsets and line numbers stay."""
    parts, last = [], 0
    for span in _spans(text):
        if span.kind in ("line", "block"):
            parts += [text[last : span.start], re.sub(r"[^\n]", " ", text[span.start : span.end])]
            last = span.end
    return "".join([*parts, text[last:]])


def bare(text: str) -> str:
    """Removes comments everywhere, bodies between dollar quotes included, and empties string literals.

    For searches of names in code; a body's own comments and texts must not count as uses.
    """
    parts, last = [], 0
    for span in _spans(text):
        piece = text[span.start : span.end]
        replacement = {"line": " ", "block": " ", "string": "''", "escape": "''"}.get(span.kind, piece)
        if span.kind == "dollar":
            tag = piece[: piece.index("$", 1) + 1]
            replacement = tag + bare(piece[len(tag) : -len(tag)]) + tag
        parts += [text[last : span.start], replacement]
        last = span.end
    return "".join([*parts, text[last:]])


def _spans(text: str) -> Iterator[_Span]:
    position = 0
    while match := _TOKEN.search(text, position):
        kind = match.lastgroup or ""
        position = match.end()
        if kind == "block":
            position = _block_end(text, position)
        elif kind == "dollar":
            close = text.find(match.group(), position)
            position = len(text) if close < 0 else close + len(match.group())
        yield _Span(kind, match.start(), position)


def _block_end(text: str, position: int) -> int:
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(text, position)):
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position if depth == 0 else len(text)


def _skip_blanks(text: str, begin: int, end: int) -> int:
    """The offset of the first character in [begin, end) that is neither blank nor comment."""
    masked = without_comments(text[begin:end])
    return begin + len(masked) - len(masked.lstrip())
