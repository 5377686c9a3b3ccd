"""Every released version of the schema, its pinned id, and the forms that the codec runs on."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from schemas.reader import Read, reader_of

PINNED_IDS: Final = range(1_900_000_001, 2_000_000_000)
"""Ids that this project gives out itself, far from any registry's own."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One released `schemas/session_event/N.avsc`."""

    number: int
    schema_id: int
    text: str
    """The file's own text, as other readers should get it."""
    schema: dict[str, Any]
    """Its JSON without logical types and docs: events carry plain microseconds."""
    read: Read
    """Reads a body that was written with it."""


def _without(node: Any, *keys: str) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, *keys) for key, value in node.items() if key not in keys}
    return [_without(item, *keys) for item in node] if isinstance(node, list) else node


def plain(text: str) -> dict[str, Any]:
    """Any schema parsed for the codec: logical types and docs left out, references by full names."""
    from fastavro import parse_schema  # noqa: PLC0415 - part of a role's start, where our own schemas do without

    parsed: Any = parse_schema(_without(json.loads(text), "logicalType", "doc"))
    return dict(parsed)


def _load() -> dict[int, Version]:
    room = files("schemas")
    pinned = json.loads((room / "ids.json").read_text("utf-8"))
    versions = {}
    for number, entry in pinned.items():
        text = (room / "session_event" / f"{number}.avsc").read_text("utf-8")
        schema = _without(json.loads(text), "logicalType", "doc")
        versions[int(number)] = Version(
            number=int(number), schema_id=entry["id"], text=text, schema=schema, read=reader_of(schema)
        )
    return versions


VERSIONS: Final = _load()
"""By version number."""
LATEST: Final = VERSIONS[max(VERSIONS)]
"""What the relay writes."""
BY_SCHEMA_ID: Final = {version.schema_id: version for version in VERSIONS.values()}
