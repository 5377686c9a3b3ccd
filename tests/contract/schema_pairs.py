"""What a hand-written case of schema resolution is, and short ways to spell schemas."""

from typing import Any, NamedTuple


class Case(NamedTuple):
    """A pair and the verdict on it."""

    name: str
    reader: Any
    writer: Any
    reads: bool
    reason: str


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(type_: Any, name: str = "f", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def enum(*symbols: str, name: str = "E", **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def fixed(size: int, name: str = "F", **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **more}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def mapping(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


def logical(name: str, carrier: str = "long", **more: Any) -> dict[str, Any]:
    return {"type": carrier, "logicalType": name, **more}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return logical("decimal", "bytes", precision=precision, scale=scale)
