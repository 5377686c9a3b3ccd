"""What an archive has: a JSON file beside its Avro files, which alone says what belongs to it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from config.errors import RelayError, SettingsError
from consumers.archive.place import Place
from consumers.replay.order import Range

NAME: Final = "manifest.json"
FORMAT: Final = 1
"""Raised when an older version could misread what is written."""
_Offset = Annotated[int, Meta(ge=0)]


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: a run of offsets of one partition, of one day."""

    path: str
    partition: Annotated[int, Meta(ge=0)]
    day: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
    begin: _Offset
    """Its first offset."""
    end: _Offset
    """The offset behind its last record; what has no record in between had none in the log."""
    records: Annotated[int, Meta(ge=1)]
    unreadable: _Offset
    """Records of it that are no events; their bytes are there like all others'."""
    earliest_ms: int | None
    """Least of the records' times, in milliseconds since 1970-01-01 UTC."""
    latest_ms: int | None
    """Greatest of them."""
    schema_version: int
    """The version of SessionEvent in which the file tells events."""
    size_bytes: _Offset
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


def path_of(partition: int, day: str, begin: int) -> str:
    """A file's name: readers that know such folders see `partition` and `day` as columns."""
    return f"partition={partition}/day={day}/{begin:020}.avro"


class _Form(msgspec.Struct):
    format: int = FORMAT


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of an archive; it is of one topic, and of one life of that topic."""

    format: int = FORMAT
    topic: str
    topic_id: UUID
    files: Sequence[Piece] = ()

    def with_piece(self, piece: Piece) -> "Manifest":
        """The same and one file more."""
        return msgspec.structs.replace(self, files=[*self.files, piece])

    def by_partition(self) -> Mapping[int, Sequence[Piece]]:
        """Its files, each partition's in order."""
        found: dict[int, list[Piece]] = {}
        for piece in sorted(self.files, key=lambda piece: (piece.partition, piece.begin)):
            found.setdefault(piece.partition, []).append(piece)
        return found

    def reach(self) -> Mapping[int, Range]:
        """From where to where it goes in each partition; `gaps` says what is missing in between."""
        return {n: Range(pieces[0].begin, pieces[-1].end) for n, pieces in self.by_partition().items()}

    def gaps(self) -> Iterator[tuple[int, Range]]:
        """Offsets of a partition between two files that are in neither."""
        for number, pieces in self.by_partition().items():
            for one, other in pairwise(pieces):
                if one.end < other.begin:
                    yield number, Range(one.end, other.begin)


def load(place: Place) -> Manifest | None:
    """The manifest of an archive; None where there is none.

    Raises:
        RelayError: It is truncated, altered or of a later format.
    """
    content = place.read(NAME)
    if content is None:
        return None
    told = place.told(NAME)
    try:
        # the format alone first: another one may have other fields
        if (form := msgspec.json.decode(content, type=_Form).format) != FORMAT:
            raise RelayError(f"{told} has format {form}, and this version knows {FORMAT}: upgrade")
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RelayError(f"{told} is damaged: {error}") from None
    for piece in manifest.files:
        if piece.path != path_of(piece.partition, piece.day, piece.begin) or piece.begin >= piece.end:
            raise RelayError(f"{told} is damaged: {piece.path!r} is no name of its partition, day and offset")
    for pieces in manifest.by_partition().values():
        for one, other in pairwise(pieces):
            if one.end > other.begin:
                raise RelayError(f"{told} is damaged: {one.path} and {other.path} overlap")
    return manifest


def found(place: Place) -> Manifest:
    """The same where there has to be one.

    Raises:
        SettingsError: There is none.
    """
    manifest = load(place)
    if manifest is None:
        raise SettingsError(f"there is no archive at {place.path}: it has no {NAME}")
    return manifest


def save(place: Place, manifest: Manifest) -> None:
    """Write it in the place of the former one."""
    place.write(NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
