"""Checks a JSON body against the subset of JSON Schema that the platforms' documents use.

A finding is data (where, which rule, which value); each platform words it in its own error body.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is the schema keyword that was broken; `limit` what it demanded; `value` what was there."""

    path: tuple[str | int, ...]
    rule: str
    limit: Any
    value: Any


def check(value: Any, schema: Schema, path: tuple[str | int, ...] = ()) -> list[Finding]:
    """Every finding, in document order; an empty list means the value conforms."""
    wanted = schema.get("type")
    if wanted and not _has_type(value, wanted):
        return [Finding(path, "type", wanted, value)]
    if isinstance(value, dict):
        return _check_object(value, schema, path)
    if isinstance(value, list):
        return _check_array(value, schema, path)
    return _check_scalar(value, schema, path)


def _has_type(value: Any, wanted: str) -> bool:
    if wanted == "integer" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[wanted])


def _check_object(value: dict[str, Any], schema: Schema, path: tuple[str | int, ...]) -> list[Finding]:
    properties: dict[str, Schema] = schema.get("properties", {})
    found = [
        Finding((*path, name), "required", None, None)
        for name in schema.get("required", ())
        if name not in value
    ]
    for name, item in value.items():
        if name in properties:
            found += check(item, properties[name], (*path, name))
        elif properties:
            found.append(Finding((*path, name), "unknown", None, item))
    return found


def _check_array(value: list[Any], schema: Schema, path: tuple[str | int, ...]) -> list[Finding]:
    found: list[Finding] = []
    if len(value) < schema.get("minItems", 0):
        found.append(Finding(path, "minItems", schema["minItems"], value))
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        found.append(Finding(path, "maxItems", schema["maxItems"], value))
    for index, item in enumerate(value):
        found += check(item, schema.get("items", {}), (*path, index))
    return found


def _check_scalar(value: Any, schema: Schema, path: tuple[str | int, ...]) -> list[Finding]:
    broken: dict[str, Callable[[Any], bool]] = {
        "enum": lambda limit: value not in limit,
        "pattern": lambda limit: not re.search(limit, value),
        "maxLength": lambda limit: len(value) > limit,
        "minLength": lambda limit: len(value) < limit,
        "minimum": lambda limit: value < limit,
        "maximum": lambda limit: value > limit,
    }
    return [
        Finding(path, rule, schema[rule], value)
        for rule, test in broken.items()
        if rule in schema and test(schema[rule])
    ]
