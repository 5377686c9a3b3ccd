"""The sink beside Bento is shown as it was measured, with the settings that are in the file."""

import json
from pathlib import Path

import pytest

from benchmarks.bento.program import VERSION
from benchmarks.bento.sink_run import TABLE
from benchmarks.bento.sink_table import FILE, PAGE, as_markdown, renew
from config.errors import RelayError
from tests.docs.tables import marked


def test_the_table_is_what_was_measured() -> None:
    told = json.loads(FILE.read_text("utf-8"))
    (shown,) = marked("bento sink").findall(PAGE.read_text("utf-8"))
    assert shown == as_markdown(told)
    assert told["versions"]["bento"] == VERSION


def test_the_settings_that_are_shown_are_the_fastest_that_were_tried() -> None:
    told = json.loads(FILE.read_text("utf-8"))
    fastest = max(told["tried"], key=lambda one: one["rate"])
    assert told["settings"] == {name: fastest[name] for name in ("batch", "in_flight")}


def test_bento_writes_where_rows_are_counted() -> None:
    assert f"INSERT INTO {TABLE} " in FILE.with_name("sink.yaml").read_text("ascii")


@pytest.mark.parametrize("former", ["", "old\n"])
def test_a_new_table_takes_the_place_of_the_former_and_of_nothing_else(tmp_path: Path, former: str) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n<!-- bento sink -->\n{former}<!-- /bento sink -->\nafter\n", "utf-8")
    renew("new \\1", page)
    assert page.read_text("utf-8") == "before\n<!-- bento sink -->\nnew \\1\n<!-- /bento sink -->\nafter\n"


def test_a_page_without_a_place_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("no marks\n", "utf-8")
    with pytest.raises(RelayError):
        renew("new", page)
