"""Schemas whose ids a registry gave out: the one that is written with, and those that records are read by."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import structlog

from config.errors import Poison, RegistryUnavailable, SettingsError, StoppedForSafety
from config.registry_section import SchemaRegistrySettings
from schemas.codec import PREFIX, frame_of
from schemas.compatibility import differences
from schemas.event import EventType, Statistics
from schemas.reader import Read, reader_of
from schemas.registry import Registry
from schemas.validity import InvalidSchema, parse
from schemas.versions import LATEST, PINNED_IDS, VERSIONS, plain

log = structlog.get_logger()

_FULL_NAME: Final = "sessionrelay.SessionEvent"
_UNKNOWN_FOR_S: Final = 10.0
"""So long an id that the registry does not know is not asked for again."""
_MOST_UNKNOWN: Final = 10_000
_MOST_TOLD: Final = 3
_FIELDS: Final = tuple(field["name"] for field in LATEST.schema["fields"])
_TEXTS: Final = ("string", "bytes")
_KINDS: Final = frozenset(EventType)


def writing_frame(settings: SchemaRegistrySettings, topic: str) -> bytes:
    """What stands before each record that is written: with a registry's id where there is a registry.

    Compatibility is asked before anything is registered, and registered is only what the settings allow.

    Args:
        settings: Of the registry.
        topic: Of the events, which names the subject.

    Raises:
        RegistryUnavailable: It does not answer.
        StoppedForSafety: It does not admit the newest schema.
        SettingsError: It lacks it, and the settings don't say to register it.
    """
    if settings.url is None:
        return PREFIX
    subject = settings.subject or f"{topic}-value"
    with Registry(settings) as registry:
        schema_id = registry.id_of(subject, LATEST.text)
        if schema_id is None:
            if objections := registry.objections(subject, LATEST.text):
                told = "; ".join(objections[:_MOST_TOLD])
                raise StoppedForSafety(f"the registry does not admit version {LATEST.number}: {told}")
            if not settings.register_schema:
                raise SettingsError(
                    f"the registry lacks version {LATEST.number} of the schema: register what "
                    f"`session-relay schema show` prints, or set SCHEMA_REGISTRY__REGISTER_SCHEMA"
                )
            schema_id = registry.register(subject, LATEST.text)
            log.info("schema_registered", subject=subject, version=LATEST.number, schema_id=schema_id)
    if schema_id in PINNED_IDS:
        raise StoppedForSafety(f"the registry gives the id {schema_id}, of the range that is pinned here")
    return frame_of(schema_id)


class ForeignSchemas:
    """Readers by a registry's ids; each is asked for once, by one thread, and then known to any.

    Args:
        registry: Who knows them.
        monotonic_s: Seconds, never set back.
    """

    def __init__(self, registry: Registry, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._monotonic_s = registry, monotonic_s
        self._reads: dict[int, Read] = {}
        self._unknown: dict[int, float] = {}
        """Ids that the registry did not know, and until when that is believed."""

    def __call__(self, schema_id: int) -> Read:
        """What reads a body that was written with this id.

        Raises:
            Poison: The registry knows no such id, or it is another event's.
            RegistryUnavailable: The registry does not say.
            StoppedForSafety: It is our event in a form that this version can't read: a newer one may.
        """
        if (read := self._reads.get(schema_id)) is None:
            read = self._reads[schema_id] = self._found(schema_id)
        return read

    def _found(self, schema_id: int) -> Read:
        now_s = self._monotonic_s()
        if self._unknown.get(schema_id, now_s) > now_s:
            raise _poison(f"the registry knows no schema id {schema_id}")
        registered = self._registry.schema_of(schema_id)
        if registered is None:
            if len(self._unknown) >= _MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown[schema_id] = now_s + _UNKNOWN_FOR_S
            raise _poison(f"the registry knows no schema id {schema_id}")
        if registered.kind != "AVRO":
            raise _poison(f"schema id {schema_id} of the registry is no Avro schema")
        return _reader(schema_id, registered.schema)


def _reader(schema_id: int, text: str) -> Read:
    try:
        return _reader_of(schema_id, text)
    except InvalidSchema:
        raise RegistryUnavailable(f"the registry tells no schema under id {schema_id}") from None
    except (ValueError, RecursionError) as error:
        raise StoppedForSafety(
            f"this version has no reader for schema id {schema_id} of the registry, a newer one may: {error}"
        ) from None


def _reader_of(schema_id: int, text: str) -> Read:
    schema = parse(text)
    if getattr(schema, "fullname", None) != _FULL_NAME:
        raise _poison(f"schema id {schema_id} of the registry has another full name")
    if told := differences(parse(LATEST.text), schema):
        raise StoppedForSafety(
            f"schema id {schema_id} of the registry can't be read by version {LATEST.number}, "
            f"at {told[0].path}: a newer version may"
        )
    parsed = plain(text)
    for version in VERSIONS.values():
        if plain(version.text) == parsed:
            return version.read
    return _as_ours(reader_of(_texts_as_ours(parsed, LATEST.schema)))


def _texts_as_ours(theirs: Any, ours: Any) -> Any:
    """Their schema with `string` where ours has that for their `bytes`, and the other way round.

    Both are written alike, and resolve with each other (Apache Avro 1.12, "Schema Resolution").
    """
    kinds = ours if isinstance(ours, list) else [ours]
    match theirs:
        case "string" | "bytes" | {"type": "string" | "bytes"}:
            return next((kind for kind in kinds if kind in _TEXTS), theirs)
        case list():
            return [_texts_as_ours(branch, ours) for branch in theirs]
        case {"type": "map", "values": values}:
            of_ours = [kind["values"] for kind in kinds if _is(kind, "map")]
            return theirs | {"values": _texts_as_ours(values, of_ours)}
        case {"type": "record", "fields": fields}:
            known = {
                field["name"]: field["type"]
                for kind in kinds
                if _is(kind, "record")
                for field in kind["fields"]
            }
            told = [
                field | {"type": _texts_as_ours(field["type"], known.get(field["name"]))} for field in fields
            ]
            return theirs | {"fields": told}
        case _:
            return theirs


def _is(schema: Any, kind: str) -> bool:
    return isinstance(schema, dict) and schema["type"] == kind


def _as_ours(read: Read) -> Read:
    """Resolve what such a reader gives with the newest schema: fields by name, symbols by the default."""

    def resolved(value: bytes, start: int) -> tuple[dict[str, Any], int]:
        """Read a record into the fields that are ours; a type that we don't know is UNKNOWN."""
        told, end = read(value, start)
        fields = {name: told[name] for name in _FIELDS if name in told}
        if fields.get("type") not in _KINDS:
            fields["type"] = EventType.UNKNOWN.value
        if (figures := fields.get("statistics")) is not None:
            known = Statistics.__struct_fields__
            fields["statistics"] = {name: figure for name, figure in figures.items() if name in known}
        return fields, end

    return resolved


def _poison(detail: str) -> Poison:
    return Poison("unknown_schema", detail)


def foreign_schemas(settings: SchemaRegistrySettings, stack: ExitStack) -> ForeignSchemas | None:
    """Readers of the ids that a registry gave out, where there is a registry; it is left with the stack."""
    if settings.url is None:
        return None
    return ForeignSchemas(stack.enter_context(Registry(settings)))
