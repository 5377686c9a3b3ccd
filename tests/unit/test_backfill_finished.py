"""The file of finished users: what it says after an interruption, and what it refuses."""

import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from config.errors import SettingsError
from producers.backfill.asleep import Days
from producers.backfill.finished import Finished

DAYS = Days(first=date(2026, 9, 1), last=date(2026, 9, 30))
AFTER = date(2026, 10, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "a.state"


def opened(path: Path, source: str = "asleep", days: Days = DAYS, now: date = AFTER) -> Finished:
    return Finished(path, source, days, now)


def test_who_was_finished_is_finished_for_the_next_run(path: Path) -> None:
    with opened(path) as finished:
        finished.add("nora", AFTER)
        assert "nora" in finished
        assert "otto" not in finished
    with opened(path) as finished:
        assert "nora" in finished
        finished.add("otto", AFTER)
    with opened(path) as finished:
        assert "nora" in finished
        assert "otto" in finished


@pytest.mark.parametrize("listed_on", [date(2026, 9, 29), DAYS.last])
def test_who_was_listed_before_the_days_were_over_is_finished_for_that_day_alone(
    path: Path, listed_on: date
) -> None:
    with opened(path, now=listed_on) as finished:
        finished.add("nora", listed_on)
        assert "nora" in finished
    with opened(path, now=listed_on) as finished:
        assert "nora" in finished
    with opened(path, now=listed_on + timedelta(1)) as finished:
        assert "nora" not in finished


def test_it_names_nobody_and_is_its_owners_alone(path: Path) -> None:
    with opened(path) as finished:
        finished.add("nora", AFTER)
    assert "nora" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("kept", range(1, 140))
def test_a_file_that_was_cut_short_anywhere_says_less_but_nothing_wrong(path: Path, kept: int) -> None:
    with opened(path) as finished:
        finished.add("nora", AFTER)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with opened(path) as finished:
        assert ("nora" in finished) == (kept >= len(whole))
        finished.add("otto", AFTER)
    with opened(path) as finished:
        assert "otto" in finished
        assert ("nora" in finished) == (kept >= len(whole))


def test_two_runs_at_once_are_refused(path: Path) -> None:
    with opened(path), pytest.raises(SettingsError, match="another backfill"):
        opened(path)
    opened(path).__exit__()


@pytest.mark.parametrize(
    ("source", "days"), [("other", DAYS), ("asleep", Days(first=DAYS.first, last=date(2026, 10, 1)))]
)
def test_the_file_of_another_run_is_refused_and_left_alone(path: Path, source: str, days: Days) -> None:
    with opened(path) as finished:
        finished.add("nora", AFTER)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="is not of a backfill"):
        opened(path, source, days)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"my thesis\n", b"my thesis", b"\xff\xfe\x00"])
def test_any_other_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is not of a backfill"):
        opened(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="can't be written"):
        opened(tmp_path / "file" / "a.state")


def test_removed_is_as_never_been(path: Path) -> None:
    with opened(path) as finished:
        finished.add("nora", AFTER)
        finished.remove()
    with opened(path) as finished:
        assert "nora" not in finished
