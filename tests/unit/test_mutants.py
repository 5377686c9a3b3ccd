"""Every known defect can still be put into the code, and what should notice it is there."""

import ast

import pytest

from tests.chaos.faults import FAULTS
from tests.mutants.defects import ROOT, Defect, broken, defects


@pytest.mark.parametrize("defect", defects(), ids=lambda defect: defect.name)
def test_a_defect_applies_and_is_looked_for(defect: Defect) -> None:
    for file, text in broken(defect, ROOT).items():
        assert text != (ROOT / file).read_text("utf-8")
        if file.endswith(".py"):
            ast.parse(text)
    assert [test for test in defect.tests if not (ROOT / test).is_file()] == []
    names = defect.chaos.partition("--faults ")[2].split(",") if defect.chaos else []
    assert set(names) <= FAULTS.keys()
    assert defect.tests or names


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({defect.name for defect in defects()}) == len(defects()) >= 14
