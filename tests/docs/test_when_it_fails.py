"""Each row of a table of failures names the tests that run it."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.source_tree import ROOT
from tests.docs.tables import README

HEADER = "| when | this happens | shown by |"
PATH = re.compile(r"`(tests/[\w/]+\.py)`")


def rows() -> Iterator[tuple[str, str]]:
    """What fails, and the last column."""
    lines = iter(README.read_text("utf-8").splitlines())
    for line in lines:
        if line == HEADER:
            next(lines)
            for row in lines:
                if not row.startswith("| "):
                    break
                cells = [cell.strip() for cell in row.strip("|").split(" | ")]
                yield cells[0], cells[-1]


ROWS = dict(rows())


def test_both_sides_have_rows() -> None:
    named = " ".join(ROWS.values())
    assert len(ROWS) >= 50
    for folder in ("tests/faults/relay/", "tests/faults/sink/", "tests/faults/backfill/"):
        assert folder in named


@pytest.mark.parametrize("when", ROWS)
def test_a_row_names_files_that_hold_tests(when: str) -> None:
    named = PATH.findall(ROWS[when])
    assert named
    for name in named:
        tree = ast.parse((ROOT / name).read_text("utf-8"))
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert any(function.startswith("test_") for function in functions), name


def test_every_scenario_of_the_sink_is_in_a_row() -> None:
    scenarios = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/faults/sink").glob("test_*.py")}
    assert scenarios - set(PATH.findall(" ".join(ROWS.values()))) == set()
