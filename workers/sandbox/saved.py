"""The sandbox's memory on disk, for `./nexora up`: accounts that are connected stay so across a restart.

People, grants, tokens (their hashes alone), posts and their files are kept; attempts in progress (codes,
uploads, drafts) are not. `state.json` is replaced as a whole, so that a crash leaves the old one or the new
one; files lie beside it under their hash.

The encoding follows the dataclasses of `state`, whatever fields they have: people and grants by reference,
everything that JSON lacks as an object with one `$…` key.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from workers.sandbox.spool import Spool
from workers.sandbox.state import Comment, Grant, Media, Person, Post, State, Token

_CLASSES: Final = {one.__name__: one for one in (Comment, Grant, Media, Person, Post, Token)}


class Saved:
    """One directory with the saved state of one sandbox, readable by its owner alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "state.json"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def restore(self, state: State) -> None:
        """Fills a new state with what was saved. What this version cannot read is set aside, not destroyed."""
        if not self._path.exists():
            return
        try:
            reader = _Reader(self._directory, json.loads(self._path.read_text()))
            people, tokens, posts = reader.people(), reader.list("tokens"), reader.list("posts")
        except (ValueError, KeyError, TypeError, OSError):
            self._path.replace(self._path.with_suffix(".unreadable"))
            return
        state.people.update(people)
        for token in tokens:
            state.tokens.add(token)
        for post in posts:
            state.posts.add(post)
        self._remove_files(reader.files)

    def save(self, state: State) -> None:
        """Writes everything that is to be kept."""
        writer = _Writer(self._directory)
        tokens = [*state.tokens.access.values(), *state.tokens.refresh.values()]
        content = {
            "people": [writer.plain(person) for person in state.people.values()],
            "tokens": [writer.value(token) for token in tokens],
            "posts": [writer.value(post) for post in reversed(state.posts.newest())],
        }
        content["grants"] = writer.grants  # last: the others fill it
        _replace(self._path, lambda file: file.write(json.dumps(content).encode()))

    def _remove_files(self, wanted: set[str]) -> None:
        for path in self._directory.glob("*.bin"):
            if path.stem not in wanted:
                path.unlink()


class _Writer:
    """Values to JSON. Grants are collected, and files stored, as they are met."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._grants: dict[int, int] = {}
        self.grants: list[Any] = []

    def plain(self, item: Any) -> dict[str, Any]:
        """A dataclass with its fields."""
        values = {field.name: self.value(getattr(item, field.name)) for field in fields(item)}
        return {"$": type(item).__name__, **values}

    def value(self, item: Any) -> Any:
        match item:
            case Person():
                return {"$person": item.key}
            case Grant():
                return {"$grant": self._grant(item)}
            case Spool():
                return {"$file": self._file(item)}
            case bytes():
                return {"$bytes": item.hex()}
            case tuple():
                return {"$tuple": [self.value(one) for one in item]}
            case frozenset():
                return {"$set": sorted(self.value(one) for one in item)}
            case list():
                return [self.value(one) for one in item]
            case dict():
                return {"$map": [[self.value(key), self.value(one)] for key, one in item.items()]}
        return self.plain(item) if is_dataclass(item) else item

    def _grant(self, grant: Grant) -> int:
        if id(grant) not in self._grants:
            self._grants[id(grant)] = len(self.grants)
            self.grants.append(self.plain(grant))
        return self._grants[id(grant)]

    def _file(self, spool: Spool) -> str:
        path = self._directory / f"{spool.sha256}.bin"
        if not path.exists():
            _replace(path, lambda file: [file.write(chunk) for chunk in spool.chunks()])
        return spool.sha256


class _Reader:
    """The way back. The same person, and the same grant, is one object wherever it is referred to.

    Attributes:
        files: hashes of the files that were read.
    """

    def __init__(self, directory: Path, content: dict[str, Any]) -> None:
        self._directory = directory
        self._content = content
        self.files: set[str] = set()
        self._people: dict[str, Person] = {one["key"]: self._object(one) for one in content["people"]}
        self._grants: list[Grant] = [self._object(one) for one in content["grants"]]

    def people(self) -> dict[str, Person]:
        return self._people

    def list(self, name: str) -> list[Any]:
        return [self.value(one) for one in self._content[name]]

    def value(self, item: Any) -> Any:
        if isinstance(item, list):
            return [self.value(one) for one in item]
        if not isinstance(item, dict):
            return item
        if "$" in item:
            return self._object(item)
        [(kind, content)] = item.items()
        return self._kinds[kind](self, content)

    def _object(self, item: dict[str, Any]) -> Any:
        values = {name: self.value(value) for name, value in item.items() if name != "$"}
        return _CLASSES[item["$"]](**values)

    def _file(self, sha256: str) -> Spool:
        self.files.add(sha256)
        spool = Spool()
        with (self._directory / f"{sha256}.bin").open("rb") as file:
            while chunk := file.read(1_048_576):
                spool.write(chunk)
        return spool

    _kinds: Final[dict[str, Callable[[_Reader, Any], Any]]] = {
        "$person": lambda self, key: self._people[key],
        "$grant": lambda self, number: self._grants[number],
        "$file": _file,
        "$bytes": lambda _, text: bytes.fromhex(text),
        "$tuple": lambda self, items: tuple(self.value(one) for one in items),
        "$set": lambda self, items: frozenset(self.value(one) for one in items),
        "$map": lambda self, pairs: {self.value(key): self.value(one) for key, one in pairs},
    }


def _replace(path: Path, write: Callable[[Any], object]) -> None:
    """Puts a complete file in the place of the former one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".saving-")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
