"""Whose sessions are fetched: ids from the command line and a file, and a file of those that failed."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from config.errors import ExitCode, RelayError
from producers.sources.facts import is_identifier


class UsersError(RelayError):
    """Users that can't be read; the message names the line, never the id."""

    exit_code = ExitCode.USAGE


def users_of(named: Iterable[str], path: Path | None) -> list[str]:
    """Every user once, in order: those named, then those of the file, an id a line.

    Raises:
        UsersError: There is none, the file can't be read, or an id can't be sent in a header.
    """
    users = [_checked(user, f"user {number}") for number, user in enumerate(named, 1)]
    if path is not None:
        try:
            lines = path.read_text("utf-8").split("\n")  # of all line ends, no other is one here
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise UsersError(f"{path}: can't be read: {reason}") from None
        numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
        users += [_checked(line, f"{path}, line {number}") for number, line in numbered]
    if not users:
        raise UsersError("no user is named: give --user or --users")
    return list(dict.fromkeys(users))


def _checked(user: str, where: str) -> str:
    if not is_identifier(user) or not user.isprintable() or user != user.strip():
        raise UsersError(f"{where}: is no user id of 1 to 255 printable characters")
    return user


def check_apart(users: Path | None, failed: Path | None) -> None:
    """See that the file of those that fail is another one than that of all.

    Raises:
        UsersError: It is the same: a run that ends early would leave no trace of those it has not reached.
    """
    if users is None or failed is None or not (users.exists() and failed.exists()):
        return
    if users.samefile(failed):
        raise UsersError("--failed: is the file of --users, which names those not reached too: give another")


def write_failed(path: Path, users: Sequence[str]) -> None:
    """Write the users that failed, an id a line, for this user's eyes alone.

    Raises:
        UsersError: It can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{user}\n" for user in users)
    except OSError as error:
        raise UsersError(f"{path}: can't be written: {error.strerror}") from error
