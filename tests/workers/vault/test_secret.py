"""A SecretToken gives its value to `reveal` and to nothing else (P1.11)."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from workers.vault import SecretToken

CANARY = "canary-7f3d9a51c2"


def leaks(text: object) -> bool:
    return CANARY in str(text) or CANARY.encode().hex() in str(text)


@dataclasses.dataclass
class Holder:
    token: SecretToken


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{!r}".format,
        "{:>40}".format,
        lambda token: f"{token}",
        lambda token: f"{token:s}",
        lambda token: "%s %r" % (token, token),  # noqa: UP031
        lambda token: repr([token]),
        lambda token: repr({"token": token}),
        lambda token: repr(Holder(token)),
        pprint.pformat,
        dir,
    ],
)
def test_shows_a_mask_however_it_is_printed(show: Callable[[SecretToken], object]) -> None:
    assert not leaks(show(SecretToken(CANARY)))


@pytest.mark.parametrize(
    "copy_out",
    [
        pickle.dumps,
        *(lambda token, p=p: pickle.dumps(token, protocol=p) for p in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy,
        copy.deepcopy,
        json.dumps,
        lambda token: json.dumps({"token": token}),
        lambda token: dataclasses.asdict(Holder(token)),
        vars,
        iter,
        len,
        bytes,
        hash,
        lambda token: token + "",
        lambda token: "" + token,
        lambda token: "".join([token]),
    ],
)
def test_leaves_the_process_in_no_other_form(copy_out: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as caught:
        copy_out(SecretToken(CANARY))
    assert not leaks(caught.value)


def test_logging_shows_a_mask() -> None:
    stream = io.StringIO()
    logger = logging.Logger("canary")
    logger.addHandler(logging.StreamHandler(stream))
    token = SecretToken(CANARY)
    logger.warning("token %s %r", token, token, extra={"token": token})
    assert "***" in stream.getvalue()
    assert not leaks(stream.getvalue())


def test_a_traceback_with_local_variables_shows_a_mask() -> None:
    def use(token: SecretToken) -> None:
        inner = [token]
        raise RuntimeError(len(inner))

    try:
        use(SecretToken(CANARY))
    except RuntimeError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(report.format())
    assert "token = SecretToken(***)" in text
    assert not leaks(text)


def test_gives_back_what_was_put_in() -> None:
    assert SecretToken(CANARY).reveal() == CANARY
    assert SecretToken(CANARY.encode()).reveal() == CANARY
    assert SecretToken("süß 🗝").reveal_bytes() == "süß 🗝".encode()
    assert SecretToken(b"\xff\x00").reveal_bytes() == b"\xff\x00"


def test_bytes_that_are_no_text_are_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="not text") as caught:
        SecretToken(CANARY.encode() + b"\xff").reveal()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_text_without_a_utf8_form_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="UTF-8") as caught:
        SecretToken(CANARY + "\ud800")
    assert caught.value.__context__ is None
    assert not leaks(caught.value)


@pytest.mark.parametrize("value", [None, 7, 1.5, bytearray(b"x"), ["x"], object()])
def test_anything_but_text_and_bytes_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        SecretToken(value)


@pytest.mark.parametrize("value", ["", b""])
def test_nothing_is_no_secret(value: str | bytes) -> None:
    with pytest.raises(ValueError, match="empty"):
        SecretToken(value)


def test_compares_by_value_with_its_like_only() -> None:
    assert SecretToken("a") == SecretToken(b"a")
    assert SecretToken("a") != SecretToken("b")
    assert SecretToken("a") != "a"


def test_has_no_attribute_that_can_be_changed_or_added() -> None:
    with pytest.raises(AttributeError):
        SecretToken("a").value = "b"  # type: ignore[attr-defined]
