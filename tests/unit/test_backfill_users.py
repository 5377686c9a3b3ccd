"""Whose sessions are fetched: from the command line and from a file, nothing else."""

import stat
from pathlib import Path

import pytest

from config.errors import ExitCode
from producers.backfill.users import UsersError, check_apart, users_of, write_failed


def test_each_user_is_taken_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text("  otto \n\nschläfer-수면\nnora\notto\n")
    assert users_of(["nora"], path) == ["nora", "otto", "schläfer-수면"]


def test_nobody_is_a_wrong_usage() -> None:
    with pytest.raises(UsersError, match="no user is named") as refused:
        users_of([], None)
    assert refused.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("user", ["x" * 256, "a\tb", "a\x00b", "a\x7fb", "a\u2028b", "a\x85b"])
def test_an_id_that_no_header_can_hold_is_refused_by_its_line_alone(tmp_path: Path, user: str) -> None:
    path = tmp_path / "ids"
    path.write_text(f"nora\n{user}\n")
    with pytest.raises(UsersError, match="line 2") as refused:
        users_of([], path)
    assert user not in str(refused.value)
    with pytest.raises(UsersError, match="user 1"):
        users_of([user], None)


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "ids").write_bytes(content)
    with pytest.raises(UsersError, match="can't be read"):
        users_of([], tmp_path / "ids")


def test_those_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "failed"
    write_failed(path, ["otto", "schläfer-수면"])
    assert users_of([], path) == ["otto", "schläfer-수면"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsersError, match="can't be written"):
        write_failed(tmp_path / "no" / "such", [])


def test_the_file_of_all_is_not_overwritten_with_those_that_failed(tmp_path: Path) -> None:
    users, same, other = tmp_path / "ids", tmp_path / "same", tmp_path / "other"
    check_apart(users, users)  # that it is not there is told when it is read
    users.write_text("nora\n")
    same.symlink_to(users)
    for failed in (users, same):
        with pytest.raises(UsersError, match="--failed"):
            check_apart(users, failed)
    check_apart(users, other)
    check_apart(users, None)
    check_apart(None, users)
