"""The page on adding a vendor, followed to the letter in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.source_tree import ROOMS, ROOT

PAGE = ROOT / "docs" / "adding-a-vendor.md"
FILES = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUN = re.compile(r"<!-- run -->\n```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINT = "{} -m ruff check --quiet {files} && {} -m ruff format --check --quiet {files} && {} -m mypy {files}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, with the page's files in it."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for room in (*ROOMS, "tests", "benchmarks"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=ignored)
    for name in ("pyproject.toml", "Makefile", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name, text in FILES.findall(PAGE.read_text("utf-8")):
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def said(copy: Path, command: str) -> str:
    strange = ("PYTHONPATH", "COVERAGE_", "PYTEST_", "SOURCES")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(strange)}
    run = subprocess.run(
        ["bash", "-ec", command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_it_is_one_file_one_sample_one_test() -> None:
    names = [name for name, _ in FILES.findall(PAGE.read_text("utf-8"))]
    assert [name.rpartition("/")[0] for name in names] == [
        "producers/sources",
        "tests/contract/samples",
        "tests/unit",
    ]


def test_the_new_vendor_passes_is_listed_and_can_be_configured(copy: Path) -> None:
    (commands,) = RUN.findall(PAGE.read_text("utf-8"))
    output = said(copy, commands)
    assert "passed" in output
    assert "dozer  Whole nights, scored or removed." in output
    assert "mine: dozer for default" in output


def test_without_its_sample_the_suite_fails(copy: Path) -> None:
    (copy / "tests" / "contract" / "samples" / "dozer.json").unlink()
    with pytest.raises(AssertionError, match="test_each_vendor_has_a_sample"):
        said(copy, ".venv/bin/python -m pytest tests/contract/test_vendors.py -k sample")


def test_its_files_are_as_clean_as_ours(copy: Path) -> None:
    files = " ".join(name for name, _ in FILES.findall(PAGE.read_text("utf-8")) if name.endswith(".py"))
    python = ".venv/bin/python"
    said(copy, LINT.format(python, python, python, files=files))
