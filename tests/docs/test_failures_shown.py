"""Each row of `when | this happens | shown by` names tests that show it, and no fault goes unnamed."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.source_tree import ROOT
from tests.docs.tables import README

HEAD = re.compile(r"^\| when \| this happens \| shown by \|\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)`")
HAS_TESTS = re.compile(r"^(?:async )?def test_", re.MULTILINE)


def rows() -> Iterator[tuple[str, str]]:
    """What happens when, and the cell that names tests."""
    for table in HEAD.findall(README.read_text("utf-8")):
        for line in table.splitlines():
            when, _, shown_by = line.strip("|").split(" | ")
            yield when.strip(), shown_by


ROWS = list(rows())


def test_there_are_rows() -> None:
    assert len(ROWS) > 40
    assert "Kafka freezes" in dict(ROWS)


@pytest.mark.parametrize(("when", "shown_by"), ROWS)
def test_a_row_names_tests_and_nothing_else(when: str, shown_by: str) -> None:
    named = NAMED.findall(shown_by)
    assert named, when
    assert NAMED.sub("", shown_by).strip(" ,|") == ""
    assert [name for name in named if not HAS_TESTS.search((ROOT / name).read_text("utf-8"))] == []


@pytest.mark.parametrize("role", ["relay", "backfill"])
def test_every_fault_that_is_tested_is_a_row(role: str) -> None:
    shown = {name for _, cell in ROWS for name in NAMED.findall(cell)}
    tested = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/faults" / role).glob("test_*.py")}
    assert tested - shown == set()
