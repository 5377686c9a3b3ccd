"""docs/logs.md: every event that the code logs, and no other; named by one grammar."""

import re

import pytest

from tests.docs.log_lines import PAGE, Line, lines, table, told
from tests.docs.tables import marked

TEXT = PAGE.read_text("utf-8")
NAME = re.compile(r"[a-z]+(?:_[a-z]+)*")


def test_the_table_is_what_the_code_says() -> None:
    """Renewed by `python -m tests.docs.tables`."""
    assert marked("log events").findall(TEXT) == [table()]


def test_every_event_is_explained_in_a_sentence() -> None:
    assert len(lines()) > 60
    assert {name for name in lines() if not told().get(name, "").endswith(".")} == set()


def test_names_have_one_grammar() -> None:
    """The subject first, one of those that the page lists, then what became of it."""
    grammar = TEXT.partition("## Grammar of names")[2].partition("\n## ")[0]
    subjects = re.findall(r"`(\w+)`", grammar)
    wrong = [
        name
        for name in lines()
        if not NAME.fullmatch(name) or not any(name == one or name.startswith(f"{one}_") for one in subjects)
    ]
    assert wrong == []
    assert subjects == sorted(set(subjects))
    assert [one for one in subjects if not any(f"{name}_".startswith(f"{one}_") for name in lines())] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("request", Line({"debug", "info", "warning"}, {"request_id", "trace_id", "status", "reason"})),
        ("gap_in_log", Line({"error"}, {"missing", "topic", "partition", "begin"})),
        ("sampler_failed", Line({"error"}, {"exception"})),
        ("certificate_absent", Line({"info"}, set())),
        ("backfill_stopped", Line({"info"}, {"…"})),
    ],
)
def test_every_way_of_logging_is_seen(name: str, expected: Line) -> None:
    """A level chosen before, fields from a map, a traceback, a callback, a name chosen when it is logged."""
    found = lines()[name]
    assert found.levels == expected.levels
    assert found.fields >= expected.fields


def test_a_line_about_a_request_names_the_request() -> None:
    about = {
        name: line.fields
        for name, line in lines().items()
        if name in {"request", "request_failed", "items_parked"}
    }
    assert [name for name, fields in about.items() if "request_id" not in fields] == []
