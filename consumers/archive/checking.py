"""Whether an archive is what its manifest says: each problem names its file."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from consumers.archive.container import Damaged, records_of
from consumers.archive.manifest import NAME, Manifest, Piece
from consumers.archive.place import UNFINISHED, Place

_CHUNK_BYTES: Final = 1024 * 1024
Told = Callable[[int], None]
"""Told how many records were looked at since the last time."""


class Problem(NamedTuple):
    """One thing that is wrong."""

    path: str
    problem: str


def sizes_wrong(place: Place, pieces: Iterable[Piece]) -> Iterator[Problem]:
    """Files that are missing, truncated or grown: a look at the folder tells it."""
    sizes = place.sizes()
    for piece in pieces:
        size_bytes = sizes.get(piece.path)
        if size_bytes is None:
            yield Problem(piece.path, "is missing")
        elif size_bytes < piece.size_bytes:
            yield Problem(piece.path, f"is truncated: {size_bytes:,} of {piece.size_bytes:,} bytes")
        elif size_bytes > piece.size_bytes:
            yield Problem(piece.path, f"was altered: {size_bytes:,} bytes instead of {piece.size_bytes:,}")


def altered(place: Place, pieces: Iterable[Piece], told: Told) -> Iterator[Problem]:
    """Files that are not byte for byte what was written; reads all of them."""
    listed = list(pieces)
    wrong = {problem.path: problem for problem in sizes_wrong(place, listed)}
    for piece in listed:
        if piece.path in wrong:
            yield wrong[piece.path]
        elif _sha256(place, piece.path) != piece.sha256:
            yield Problem(piece.path, "was altered: its SHA-256 is not the manifest's")
        told(piece.records)


def problems(place: Place, manifest: Manifest, told: Told) -> Iterator[Problem]:
    """All that is wrong: checksums, counts and offsets of every file, gaps between them, strangers."""
    wrong: set[str] = set()
    for problem in altered(place, manifest.files, told):
        wrong.add(problem.path)
        yield problem
    for piece in manifest.files:
        if piece.path not in wrong and (problem_told := _miscounted(place, piece)) is not None:
            yield Problem(piece.path, problem_told)
    for number, gap in manifest.gaps():
        yield Problem(
            NAME, f"has a gap: partition {number} lacks offsets {gap.begin} to {gap.end}, itself left out"
        )
    known = {piece.path for piece in manifest.files}
    for name in sorted(place.sizes().keys() - known):
        if name.endswith(".avro"):
            yield Problem(name, "is not in the manifest")
        elif name.endswith(UNFINISHED):
            yield Problem(name, "is unfinished: a run is at it, or was killed; the next one removes it")


def _sha256(place: Place, name: str) -> str:
    found = hashlib.sha256()
    with place.opened(name) as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _miscounted(place: Place, piece: Piece) -> str | None:
    records, behind = 0, piece.begin
    try:
        with place.opened(piece.path) as file:
            for record in records_of(file, piece.partition):
                if record.offset() < behind:
                    return f"has offset {record.offset()} where {behind} or a later one belongs"
                records, behind = records + 1, record.offset() + 1
    except Damaged as error:
        return str(error)
    if (records, behind) != (piece.records, piece.end):
        return (
            f"has {records:,} records up to offset {behind}, and the manifest says "
            f"{piece.records:,} up to {piece.end}"
        )
    return None
