"""Whether a text is an Avro schema: what the `avro` package parses, and what it lets pass.

Its parser looks neither at a field's name nor at a default, and calls a logical type that it does not
know, or that can't stand where it stands, ignored. A schema of ours has to be right for every reader.

Source: Apache Avro 1.12, "Schema Declaration" and "Logical Types".
"""

import json
import re
import warnings
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from avro.errors import AvroException, IgnoredLogicalType
from avro.schema import Schema, make_avsc_object

from schemas.defaults import default_problem

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CARRIERS: Final = {
    "decimal": {"bytes", "fixed"},
    "uuid": {"string", "fixed"},
    "date": {"int"},
    "time-millis": {"int"},
    "time-micros": {"long"},
    "timestamp-millis": {"long"},
    "timestamp-micros": {"long"},
    "timestamp-nanos": {"long"},
    "local-timestamp-millis": {"long"},
    "local-timestamp-micros": {"long"},
    "local-timestamp-nanos": {"long"},
    "duration": {"fixed"},
}
"""Which types each logical type may annotate; a name that is not here is anybody's own."""
_FIXED_SIZES: Final = {"uuid": 16, "duration": 12}


class Flaw(NamedTuple):
    """One thing that makes a text no good schema, and where: names and branches with slashes between."""

    path: str
    problem: str


class InvalidSchema(ValueError):
    """A text that is no Avro schema; `flaws` says all that is wrong, as far as it could be read."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in flaws))
        self.flaws = flaws


def parse(text: str) -> Schema:
    """Parse a schema and look at all of it.

    Raises:
        InvalidSchema: It is not JSON, no schema, or one that some reader would refuse.
    """
    try:
        told = json.loads(text)
    except ValueError:
        raise InvalidSchema([Flaw("/", "is not JSON")]) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IgnoredLogicalType)  # looked at below, with the place
            schema = make_avsc_object(_with_full_aliases(told, ""))
    except (AvroException, TypeError, AttributeError, ValueError) as error:
        raise InvalidSchema([Flaw("/", f"is no schema: {error}")]) from None
    if flaws := list(_flaws(schema, "", set())):
        raise InvalidSchema(flaws)
    return schema


def _with_full_aliases(node: Any, space: str) -> Any:
    """Aliases as full names: the package compares them with full names as they are written."""
    if isinstance(node, list):
        return [_with_full_aliases(inner, space) for inner in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("record", "error", "enum", "fixed") and isinstance(node.get("name"), str):
        head, dot, _ = node["name"].rpartition(".")
        space = head if dot else str(node.get("namespace", space))
        aliases = node.get("aliases")
        if isinstance(aliases, list) and space:
            node = node | {"aliases": [a if "." in str(a) else f"{space}.{a}" for a in aliases]}
    literal = ("default", "symbols", "aliases", "doc")  # values, whatever they look like
    return {name: v if name in literal else _with_full_aliases(v, space) for name, v in node.items()}


def _flaws(schema: Any, path: str, seen: set[str]) -> Iterator[Flaw]:
    yield from _logical_flaws(schema, path)
    if schema.type in ("record", "enum", "fixed"):
        if schema.fullname in seen:
            return
        seen.add(schema.fullname)
    match schema.type:
        case "record":
            for field in schema.fields:
                yield from _field_flaws(field, f"{path}/{field.name}", seen)
        case "array":
            yield from _flaws(schema.items, f"{path}/items", seen)
        case "map":
            yield from _flaws(schema.values, f"{path}/values", seen)
        case "union":
            if not schema.schemas:
                yield Flaw(path or "/", "a union has at least one branch")
            for branch in schema.schemas:
                yield from _flaws(branch, f"{path}/{getattr(branch, 'fullname', branch.type)}", seen)


def _field_flaws(field: Any, path: str, seen: set[str]) -> Iterator[Flaw]:
    if not _NAME.fullmatch(field.name):
        yield Flaw(path, "a name is letters, digits and underscores, and begins with no digit")
    if field.has_default and (problem := default_problem(field.type, field.default)):
        yield Flaw(path, f"the default {problem}")
    yield from _flaws(field.type, path, seen)


def _logical_flaws(schema: Any, path: str) -> Iterator[Flaw]:
    logical = schema.props.get("logicalType")
    if logical is None:
        return
    if logical in _CARRIERS and schema.type not in _CARRIERS[logical]:
        yield Flaw(path or "/", f"{logical} can't annotate {schema.type}: readers ignore it")
    elif schema.type == "fixed" and schema.size != _FIXED_SIZES.get(logical, schema.size):
        yield Flaw(path or "/", f"{logical} needs a fixed of {_FIXED_SIZES[logical]} bytes")
    elif logical == "decimal":
        precision, scale = schema.props.get("precision"), schema.props.get("scale", 0)
        if type(precision) is not int or precision < 1:
            yield Flaw(path or "/", "a decimal's precision is a whole number above zero")
        elif type(scale) is not int or not 0 <= scale <= precision:
            yield Flaw(path or "/", "a decimal's scale is a whole number from zero to its precision")
        elif schema.type == "fixed" and 10**precision - 1 >= 2 ** (8 * schema.size - 1):
            yield Flaw(path or "/", f"a fixed of {schema.size} bytes holds no {precision} digits")
