"""What a killed run of an archive has begun is removed; files of others that lie beside it are not."""

from pathlib import Path

from consumers.archive.manifest import path_of
from consumers.archive.place import Place


def test_only_unfinished_files_of_an_archive_are_removed(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    whole = path_of(3, "2026-11-01", 42)
    ours = {f"{whole}.part", "manifest.json.part"}
    others = {whole, "manifest.json", "film.mkv.part", "partition=3/notes.part", "nested/manifest.json.part"}
    for name in ours | others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert place.sizes().keys() == ours | others
    place.sweep()
    assert place.sizes().keys() == others
