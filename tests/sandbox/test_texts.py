"""Counting and showing text: X's weights and entities, LinkedIn's little text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sandbox import little_text, x_text


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0),
        ("hello", 5),
        ("Hello, world! 👋", 16),  # the example of the document
        ("👾", 2),
        ("🙋🏽", 2),
        ("👨‍🎤", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🇩🇪", 2),
        ("1️⃣", 2),
        ("❤️", 2),
        ("©", 1),
        ("漢字", 4),
        ("café", 4),
        ("cafe\u0301", 4),
        ("“quoted” – dash…", 16 + 1),
        ("https://example.com", 23),
        ("https://example.com/very/long/path?with=query#and-fragment", 23),
        ("see https://example.com.", 4 + 23 + 1),
        ("example.com", 23),
        ("foo.de is plain, foo.de/x is a link", 17 + 23 + 10),
        ("mail me@example.com", 19),
        ("no.lynk.here", 12),
    ],
)
def test_weight(text: str, weight: int) -> None:
    assert x_text.weighted_length(text) == weight


@given(st.text(max_size=300))
def test_weight_is_between_code_points_and_their_double(text: str) -> None:
    if not x_text.find_links(text) and not x_text._EMOJI.search(text):
        assert x_text.weighted_length(text) <= 2 * len(text)


@given(st.text(max_size=200), st.sampled_from(["https://example.com/a", "http://a.io", "news.org"]))
def test_entities_point_at_their_links(text: str, link: str) -> None:
    shown, entities = x_text.shown_text(f"{text} {link} end", "1", ["3_9"])
    for url in entities["urls"]:
        assert shown[url["start"] : url["end"]] == url["url"]
        assert len(url["url"]) == 23


def test_shown_text_without_links_is_escaped_only() -> None:
    assert x_text.shown_text("a < b & c > d", "1", []) == ("a &lt; b &amp; c &gt; d", {})


def escape(text: str) -> str:
    return "".join("\\" + c if c in little_text.RESERVED else c for c in text)


@given(st.text(max_size=300))
def test_escaped_little_text_is_read_back(text: str) -> None:
    parsed = little_text.parse(escape(text))
    assert (parsed.text, parsed.is_cut) == (text, False)


@pytest.mark.parametrize("character", sorted(set(little_text.RESERVED) - {"#"}))
def test_a_bare_reserved_character_cuts_the_text(character: str) -> None:
    parsed = little_text.parse(f"before {character} after")
    assert (parsed.text, parsed.is_cut) == ("before ", True)


def test_hashtags_and_mentions() -> None:
    parsed = little_text.parse(
        r"Hi @[Ada \[L\]](urn:li:person:a-1), see #tag and {hashtag|\#|two\_words} \#plain"
    )
    assert parsed.text == "Hi Ada [L], see #tag and #two_words #plain"
    assert parsed.hashtags == ("tag", "two_words")
    assert parsed.mentions == ("urn:li:person:a-1",)


@pytest.mark.parametrize("text", ["# alone", "a @nobody", "a {b}", "a @[x](y)", "ends with \\", "\\q"])
def test_what_is_no_element_is_cut(text: str) -> None:
    assert little_text.parse(text).is_cut
