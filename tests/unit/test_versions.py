"""The forms of each released schema that the codec runs on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.versions import BY_SCHEMA_ID, LATEST, PINNED_IDS, VERSIONS, Version, plain

EVERY_VERSION = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)


def nodes(node: Any) -> Iterator[Any]:
    """Every mapping and list that a decoder walks through, itself first; not fastavro's own notes."""
    yield node
    if isinstance(node, dict):
        for name, inner in node.items():
            if not str(name).startswith("__"):
                yield from nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner)


def test_ids_are_pinned_far_from_any_registrys_own() -> None:
    assert PINNED_IDS.start == 1_900_000_001
    assert PINNED_IDS.stop < 2**31  # a registry's ids are signed 32-bit numbers
    assert all(schema_id in PINNED_IDS for schema_id in BY_SCHEMA_ID)
    assert LATEST in VERSIONS.values()


@EVERY_VERSION
def test_the_codecs_forms_carry_plain_numbers(version: Version) -> None:
    """With logical types left in, fastavro would want datetimes, and take naive ones as local time."""
    assert "logicalType" in version.text
    for form in (version.schema, plain(version.text)):
        assert not any("logicalType" in node for node in nodes(form) if isinstance(node, dict))


@EVERY_VERSION
def test_the_text_is_the_files_own_with_its_docs(version: Version) -> None:
    schema = json.loads(version.text)
    assert (schema["namespace"], schema["name"]) == ("sessionrelay", "SessionEvent")
    assert all("doc" in field for field in schema["fields"])
