"""The spool's file: order, all or nothing, bounds, rights, and who may have it."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.errors import SettingsError
from producers.publish import Record
from producers.spool.file import Row, SetAside, SpoolFile, remove, size_bytes
from producers.spool.leftovers import warn_of_leftovers
from producers.spool.place import Place, SpoolInUse

RECORD = Record("topic", b"key", b"value", [("ce_id", b"1"), ("ce_type", "ß".encode())])


def row(number: int, record: Record = RECORD) -> Row:
    return Row(number, 1_000 + number, size_bytes(record), record)


def test_what_is_written_is_read_again_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SpoolFile(path) as file:
        file.write([row(1), row(2)])
        file.write([row(3, RECORD._replace(value=bytes(100_000)))])
    with SpoolFile(path) as file:
        assert [one.id for one in file.read(0, 10, 10**9)] == [1, 2, 3]
        assert file.read(0, 1, 10**9) == [row(1)]
        assert [one.id for one in file.read(1, 10, 1)] == [2]  # one, however large it is
        held = file.held()
        assert (held.events, held.last_id, held.oldest_us, held.set_aside) == (3, 3, 1_001, 0)
        assert held.size_bytes == 3 * size_bytes(RECORD) + 100_000 - len(b"value")


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with SpoolFile(tmp_path / "a.db") as file:
        file.write([row(1)])
        with pytest.raises(sqlite3.IntegrityError):
            file.write([row(2), row(1)], forget_through=1)
        assert [one.id for one in file.read(0, 10, 10**9)] == [1]
        file.write([row(2)])


def test_what_is_acknowledged_goes_and_what_is_set_aside_stays(tmp_path: Path) -> None:
    with SpoolFile(tmp_path / "a.db") as file:
        file.write([row(number) for number in range(1, 6)])
        deleted, freed = file.write([], [SetAside(2, "INVALID_RECORD")], forget_through=4)
        assert (deleted, freed) == (4, 3 * size_bytes(RECORD))
        assert file.reasons() == {"INVALID_RECORD": 1}
        held = file.held()
        assert (held.events, held.set_aside, held.size_bytes) == (1, 1, 2 * size_bytes(RECORD))


def test_somebody_who_looks_at_a_file_in_use_takes_nothing_away(tmp_path: Path) -> None:
    """Method: another process, which sees what would be left if this one were killed."""
    path = tmp_path / "a.db"
    ask = "sqlite3.connect(sys.argv[1]).execute('SELECT max(id) FROM events').fetchone()[0]"
    look = f"import sqlite3, sys; print({ask})"
    with SpoolFile(path) as file:
        for number in range(1, 4):
            file.write([row(number)])
            SpoolFile(path).close()  # as a drain does for each batch
            seen = subprocess.check_output([sys.executable, "-c", look, path], text=True, timeout=60)
            assert int(seen) == number


def test_tidying_gives_the_disk_back(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SpoolFile(path) as file:
        file.write([row(number, RECORD._replace(value=bytes(10_000))) for number in range(1, 201)])
        file.write([], forget_through=200)
        file.tidy()
        assert sum(one.stat().st_size for one in tmp_path.glob("a.db*") if "shm" not in one.name) < 100_000


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    place = Place.first_free(tmp_path / "spool")
    with SpoolFile(place.path) as file:
        file.write([row(1)])
        assert stat.S_IMODE(place.path.parent.stat().st_mode) == 0o700
        for path in place.path.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    SpoolFile(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(sqlite3.DatabaseError, match="format 99"):
        SpoolFile(path)
    remove(path)
    assert list(tmp_path.iterdir()) == []


def test_each_process_has_a_file_and_takes_up_what_a_former_one_left(tmp_path: Path) -> None:
    first, second = Place.first_free(tmp_path), Place.first_free(tmp_path)
    assert (first.path.name, second.path.name) == ("relay-0.db", "relay-1.db")
    SpoolFile(second.path).close()
    with pytest.raises(SpoolInUse):
        Place.of(second.path)
    second.release()
    assert Place.first_free(tmp_path).path == second.path


def leftovers(directory: Path, own: Path | None = None) -> list[tuple[str, str, object]]:
    with capture_logs() as told:
        warn_of_leftovers(directory, own)
    return [(line["event"], Path(line["path"]).name, line.get("events")) for line in told]


def test_only_what_holds_something_and_has_no_owner_is_told(tmp_path: Path) -> None:
    assert leftovers(tmp_path / "absent") == []
    own, living, empty, gone, aside, broken = (Place.first_free(tmp_path) for _ in range(6))
    for place in (own, living, gone, aside):
        with SpoolFile(place.path) as file:
            file.write([row(1)])
            if place is aside:
                file.write([], [SetAside(1, "INVALID_RECORD")], 1)
    SpoolFile(empty.path).close()
    broken.path.write_bytes(b"no spool" * 1_000)
    for place in (own, empty, gone, aside, broken):
        place.release()
    gone.path.with_suffix(".lock").unlink()
    expected = [
        ("spool_without_owner", "relay-3.db", 1),
        ("spool_without_owner", "relay-4.db", 0),
        ("spool_unreadable", "relay-5.db", None),
    ]
    assert leftovers(tmp_path, own.path) == expected
    assert leftovers(tmp_path) == [("spool_without_owner", "relay-0.db", 1), *expected]
    assert not gone.path.with_suffix(".lock").exists()
    living.release()


def test_a_record_without_a_key_is_kept_as_it_is(tmp_path: Path) -> None:
    keyless = RECORD._replace(topic="other", key=None)
    with SpoolFile(tmp_path / "a.db") as file:
        file.write([row(1, keyless), row(2, keyless)])
        assert [one.record for one in file.read(0, 10, 10**9)] == [keyless, keyless]
        file.write([], [SetAside(2, "INVALID_RECORD")], 2)
        assert file.held().set_aside == 1


def test_a_place_that_can_not_be_used_is_a_setting_to_mend(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SettingsError, match="RELAY__SPOOL_DIR"):
        Place.first_free(blocked / "spool")
    with pytest.raises(SettingsError, match="no spool file"):
        Place.of(tmp_path / "absent.db")
    blocked.write_text("my thesis, which begins with more than sixteen letters")
    with pytest.raises(SettingsError, match="is no spool file"):
        Place.of(blocked)
    assert list(tmp_path.iterdir()) == [blocked]  # without a lock file
