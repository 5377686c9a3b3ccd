"""Migrations as files: `versions/NNNN_what_it_does.sql`, numbered from 0001 without a gap.

A file runs in one transaction, together with the note that it ran. Two things can be said of it:

* a first line `-- no transaction` for a statement that can't be in one, such as CREATE INDEX
  CONCURRENTLY; such a file holds that one statement, and can be run again after a failure: an index that
  was left unusable is dropped first;
* a name that ends in `_after_deploy` for what would break roles of the former version, such as
  dropping a column; roles don't wait for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

NO_TRANSACTION: Final = "-- no transaction"
_NAME: Final = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file."""

    number: int
    name: str
    """The file's name without its ending, such as `0002_first_night`."""
    sql: str
    in_transaction: bool
    after_deploy: bool

    @property
    def revision(self) -> str:
        """The number as alembic notes it, such as `0002`."""
        return f"{self.number:04}"


@cache
def migrations() -> Sequence[Migration]:
    """Every migration of this version, in order.

    Raises:
        ValueError: A file is not named or numbered as the others.
    """
    directory = files("config.migrations") / "versions"
    found = [read(entry.name, entry.read_text("utf-8")) for entry in directory.iterdir()]
    in_order = sorted(found, key=lambda migration: migration.number)
    if [migration.number for migration in in_order] != list(range(1, len(in_order) + 1)):
        raise ValueError("migrations must be numbered from 0001 without a gap")
    return tuple(in_order)


def read(file_name: str, sql: str) -> Migration:
    """Take what a file's name and its first line say.

    Raises:
        ValueError: The name is not `NNNN_what_it_does.sql`.
    """
    match = _NAME.fullmatch(file_name)
    if match is None:
        raise ValueError(f"{file_name} is not named NNNN_what_it_does.sql")
    name = file_name.removesuffix(".sql")
    return Migration(
        number=int(match["number"]),
        name=name,
        sql=sql,
        in_transaction=not sql.startswith(NO_TRANSACTION),
        after_deploy=name.endswith("_after_deploy"),
    )
