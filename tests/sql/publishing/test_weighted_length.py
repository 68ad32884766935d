"""Length of a text as X counts it: URLs 23, emoji 2, CJK 2, NFC (X developer documentation, counting characters)."""

from __future__ import annotations

import psycopg
import pytest


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (None, 0),
        ("", 0),
        ("Hello, world.", 13),
        ("x" * 280, 280),
        ("café", 4),
        ("cafe\u0301", 4),  # NFC joins the accent
        ("\u1112\u1161\u11ab", 2),  # decomposed Hangul becomes one syllable
        ("한국어", 6),
        ("日本語", 6),
        ("こんにちは", 10),
        ("Привет", 6),
        ("مرحبا", 5),
        ("שלום", 4),
        ("नमस्ते", 6),
        ("\u10ff", 1),  # last of the first light range
        ("\u1100", 2),
        ("\u2000\u200d", 2),
        ("\u200e", 2),
        ("“quoted” – yes…", 16),  # U+2026 weighs 2, quotation marks and dash 1
        ("\u2026", 2),
        ("\u2032", 1),
        ("\u2038", 2),
        ("€", 2),
        ("😀", 2),
        ("👍🏽", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🏳️‍🌈", 2),
        ("❤️", 2),
        ("❤", 2),
        ("🇩🇪", 2),
        ("🇩🇪🇫🇷", 4),
        ("1️⃣", 2),
        ("#️⃣", 2),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
        ("👩🏽‍💻", 2),
        ("©", 1),
        ("©️", 2),
        ("12#*", 4),
        ("a😀b", 4),
        ("https://example.com", 23),
        ("http://example.com/a/very/long/path/that/goes/on?and=on&on=1#end", 23),
        ("https://example.com/" + "a" * 400, 23),
        ("see https://example.com.", 4 + 23 + 1),
        ("(https://example.com/a)", 1 + 23 + 1),
        ("https://a.example https://b.example", 23 + 1 + 23),
        ("example.com", 23),
        ("Example.COM/path is", 23 + 3),
        ("sub.example.co rocks", 23 + 6),
        ("me@example.com", 14),
        ("e.g. this is not a link", 23),
        ("file.txt", 8),
        ("3.14", 4),
        ("line\nbreak", 10),
    ],
)
def test_known_lengths(db: psycopg.Connection, text: str | None, length: int) -> None:
    assert db.execute("select private.weighted_length(%s)", (text,)).fetchone() == (length,)


def test_the_weight_of_a_url_is_a_rule(db: psycopg.Connection) -> None:
    assert db.execute("select private.weighted_length('https://example.com!', 30)").fetchone() == (31,)


def test_long_texts_are_counted_quickly(db: psycopg.Connection) -> None:
    db.execute("set local statement_timeout = '2s'")
    text = "word 日本 😀 example.com. " * 4000
    assert db.execute("select private.weighted_length(%s) > 0", (text[:100000],)).fetchone() == (True,)
    assert db.execute("select private.weighted_length(%s)", ("a." * 50000,)).fetchone() == (100000,)
