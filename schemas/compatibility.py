"""Whether one version of a schema reads what another wrote: Avro's resolution, and the meaning kept.

The `avro` package judges the resolution. It takes two names for one if they differ in the namespace
alone, which this project's readers do not, and knows nothing of logical types: a reader would take
milliseconds for microseconds, or cents for euros, without an error. That is judged here.

Source: Apache Avro 1.12, "Schema Resolution" and "Logical Types"; the modes are Confluent's
("Schema Evolution and Compatibility").
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from avro.compatibility import (
    ReaderWriterCompatibilityChecker,
    SchemaCompatibilityType,
)
from avro.schema import Schema

from schemas.validity import InvalidSchema, parse

_FITS: Final = SchemaCompatibilityType.compatible
_NAMED: Final = ("record", "enum", "fixed")
_DECIMAL: Final = ("scale", "precision")


class Mode(StrEnum):
    """Who has to read whom; the transitive forms look at every earlier version, the others at the last."""

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """Whether all earlier versions count."""
        return self.endswith("_TRANSITIVE")

    @property
    def backward(self) -> bool:
        """Whether the newer has to read the older."""
        return not self.startswith("FORWARD")

    @property
    def forward(self) -> bool:
        """Whether the older has to read the newer."""
        return not self.startswith("BACKWARD")


class Difference(NamedTuple):
    """Why a reader can't be trusted with what a writer wrote, and where."""

    path: str
    problem: str


class Finding(NamedTuple):
    """One thing that is wrong in a history; `reader` and `writer` are equal for a schema that is invalid."""

    reader: int
    writer: int
    path: str
    problem: str


def pairs(numbers: list[int], mode: Mode) -> Iterator[tuple[int, int]]:
    """The readers and writers that a mode asks of versions in ascending order."""
    for place, newer in enumerate(numbers):
        for older in numbers[:place] if mode.transitive else numbers[max(0, place - 1) : place]:
            if mode.backward:
                yield newer, older
            if mode.forward:
                yield older, newer


def check(history: Mapping[int, str], mode: Mode) -> list[Finding]:
    """Everything that is wrong with a history of schemas by version; nothing if it keeps the mode."""
    parsed: dict[int, Schema] = {}
    findings = []
    for number, text in sorted(history.items()):
        try:
            parsed[number] = parse(text)
        except InvalidSchema as invalid:
            findings += [Finding(number, number, *flaw) for flaw in invalid.flaws]
    for reader, writer in pairs(list(parsed), mode):
        told = differences(parsed[reader], parsed[writer])
        findings += [Finding(reader, writer, *difference) for difference in told]
    return findings


def differences(reader: Schema, writer: Schema) -> list[Difference]:
    """Why the reader can't read what the writer wrote, or would take it for something else."""
    told = _checker().get_compatibility(reader, writer)
    found = []
    if told.compatibility is not _FITS:
        kinds = ", ".join(dict.fromkeys(str(kind.value) for kind in told.incompatibilities))
        texts = "; ".join(sorted(told.messages))
        place = min(told.locations, key=len, default="/")
        found = [Difference(str(place), f"{kinds}: {texts}".replace("_", " "))]
    return found + list(_meanings(reader, writer, "", set()))


def _meanings(reader: Any, writer: Any, path: str, seen: set[tuple[int, int]]) -> Iterator[Difference]:
    """Walk what resolves together, and compare what the resolution does not look at."""
    if (id(reader), id(writer)) in seen:
        return
    seen.add((id(reader), id(writer)))
    if writer.type == "union":
        for branch in writer.schemas:
            yield from _meanings(reader, branch, path, seen)
        return
    if reader.type == "union":
        branch = _branch_for(reader, writer)
        if branch is not None:
            yield from _meanings(branch, writer, path, seen)
        return
    yield from _own_meaning(reader, writer, path or "/")
    if reader.type == writer.type:
        for inner, inner_writer, name in _inside(reader, writer):
            yield from _meanings(inner, inner_writer, f"{path}/{name}", seen)


def _inside(reader: Any, writer: Any) -> Iterator[tuple[Any, Any, str]]:
    """What stands inside two schemas of one kind and resolves together, and its name."""
    match reader.type:
        case "record":
            written = {field.name: field.type for field in writer.fields}
            for field in reader.fields:
                names = (field.name, *field.props.get("aliases", ()))
                same = next((written[name] for name in names if name in written), None)
                if same is not None:
                    yield field.type, same, field.name
        case "array":
            yield reader.items, writer.items, "items"
        case "map":
            yield reader.values, writer.values, "values"


def _checker() -> Any:
    return ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # the package's own omission


def _branch_for(reader: Any, writer: Any) -> Any:
    """The branch that takes the value: of the same kind and name first, else the first that can."""
    same = [branch for branch in reader.schemas if branch.type == writer.type]
    if writer.type in _NAMED:
        same = [branch for branch in same if branch.name == writer.name]
    return next(iter(same), None) or next((b for b in reader.schemas if _fits(b, writer)), None)


def _fits(reader: Any, writer: Any) -> bool:
    told = _checker().get_compatibility(reader, writer)
    return bool(told.compatibility is _FITS)


def _own_meaning(reader: Any, writer: Any, path: str) -> Iterator[Difference]:
    if reader.type in _NAMED and reader.type == writer.type:
        names = (reader.fullname, *reader.props.get("aliases", ()))
        if writer.fullname not in names:
            yield Difference(path, f"{writer.fullname} and {reader.fullname} are two names")
    read, written = reader.props.get("logicalType"), writer.props.get("logicalType")
    if read != written:
        kept = f"{written or f'a plain {writer.type}'} would be read as {read or f'a plain {reader.type}'}"
        yield Difference(path, kept)
    elif read == "decimal":
        for name in _DECIMAL:
            was, now = writer.props.get(name, 0), reader.props.get(name, 0)
            if was != now:
                yield Difference(path, f"a decimal's {name} of {was} would be read as {now}")
