"""The sink beside Bento is shown as it was measured, with the settings that are in the file."""

import json

from benchmarks.bento.program import VERSION
from benchmarks.bento.sink_run import TABLE
from benchmarks.bento.sink_table import FILE, as_markdown
from tests.docs.tables import BENCHMARKS, marked


def test_the_table_is_what_was_measured() -> None:
    told = json.loads(FILE.read_text("utf-8"))
    (shown,) = marked("bento sink").findall(BENCHMARKS.read_text("utf-8"))
    assert shown == as_markdown(told)
    assert told["versions"]["bento"] == VERSION


def test_the_settings_that_are_shown_are_the_fastest_that_were_tried() -> None:
    told = json.loads(FILE.read_text("utf-8"))
    fastest = max(told["tried"], key=lambda one: one["rate"])
    assert told["settings"] == {name: fastest[name] for name in ("batch", "in_flight")}


def test_bento_writes_where_rows_are_counted() -> None:
    assert f"INSERT INTO {TABLE} " in FILE.with_name("sink.yaml").read_text("ascii")
