"""The pages for whoever is woken: all alike, all listed, and every name on them is one that the code has."""

import ast
import re

import psycopg
import pytest

from config.errors import ExitCode
from config.settings_table import markdown as settings_table
from tests.docs import log_lines
from tests.docs.source_tree import ROOT, sources
from tests.docs.tables import declared

PAGES = ROOT / "docs" / "operations"
INDEX = PAGES / "README.md"
HEADINGS = [
    "What you see",
    "What it means",
    "What is safe meanwhile",
    "What to do",
    "How to know it is over",
]
TEXTS = {path.name: path.read_text("utf-8") for path in sorted(PAGES.glob("*.md"))}
RUNBOOKS = {name: text for name, text in TEXTS.items() if f"## {HEADINGS[0]}\n" in text}
LINK = re.compile(r"\]\(([^)#:]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"[a-z]+(?:_[a-z]+)+")
SETTING = re.compile(r"[A-Z]+__[A-Z_]+")
SELECT = re.compile(r"psql \"\$DATABASE_URL\" -c '(SELECT [^']+)'")
OF_READYZ = {"failures_in_a_row"}
OF_POSTGRES = {"default_transaction_read_only", "pg_is_in_recovery", "pg_stat_activity"}


def log_events() -> set[str]:
    """The names of all log lines of ours."""
    return set(log_lines.lines())


def of_tables() -> set[str]:
    """Every word of our SQL: tables, columns, states."""
    statements = [*ROOT.glob("consumers/sql/*.sql"), *ROOT.glob("config/migrations/versions/*.sql")]
    return {word for path in statements for word in re.findall(r"[a-z_]+", path.read_text("utf-8"))}


def signs(text: str, kind: str) -> list[str]:
    """The names behind `- log:`, `- metric:` or `- exit:`, to the end of the item."""
    items = text.replace("\n  ", " ").splitlines()
    return [code for item in items if item.startswith(f"- {kind}:") for code in CODE.findall(item)]


def test_every_page_is_in_the_index_and_every_link_leads_somewhere() -> None:
    assert set(LINK.findall(TEXTS[INDEX.name])) == TEXTS.keys() - {INDEX.name}
    broken = [(name, link) for name, text in TEXTS.items() for link in LINK.findall(text)]
    assert [(name, link) for name, link in broken if not (PAGES / link).exists()] == []


def test_there_is_a_page_for_each_way_in_which_a_sink_or_a_spool_needs_a_person() -> None:
    assert len(RUNBOOKS) >= 13
    assert set(LINK.findall(TEXTS[INDEX.name])) >= RUNBOOKS.keys()


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_page_answers_the_same_five_questions(name: str) -> None:
    text = RUNBOOKS[name]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert "```sh\n" in text
    assert signs(text, "log")
    assert signs(text, "metric")


@pytest.mark.parametrize("name", RUNBOOKS)
def test_log_events_metrics_and_exit_codes_are_those_of_the_code(name: str) -> None:
    text, events, metrics = RUNBOOKS[name], log_events(), set(declared())
    assert {code for code in signs(text, "log") if NAME.fullmatch(code)} <= events
    assert {code for code in signs(text, "metric") if NAME.fullmatch(code)} <= metrics
    assert {int(code) for code in signs(text, "exit")} <= set(ExitCode)
    known = events | metrics | of_tables() | OF_READYZ | OF_POSTGRES
    assert {code for code in CODE.findall(text) if NAME.fullmatch(code)} - known == set()


def test_every_page_is_followed_to_its_end_by_a_drill() -> None:
    """A drill opens its page with `Runbook(...)`, and ends when no command and no sign of it is left."""
    drills = [source for source in sources("tests") if source.name.startswith("tests/faults/runbooks/test_")]
    pages = []
    for drill in drills:
        calls = [node for node in ast.walk(drill.tree) if isinstance(node, ast.Call)]
        opened = [ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "Runbook"]
        ended = [call for call in calls if ast.unparse(call.func).endswith(".assert_followed")]
        assert len(opened) <= len(ended), drill.name
        pages += opened
    assert sorted(pages) == sorted(RUNBOOKS)


def test_every_name_among_the_alerts_is_one_of_the_code() -> None:
    named = {code for code in CODE.findall(TEXTS["alerts.md"]) if NAME.fullmatch(code)}
    assert len(named) >= 3
    assert named <= log_events() | set(declared()) | of_tables() | OF_POSTGRES


def test_the_index_names_signs_of_the_code() -> None:
    named = {code for code in CODE.findall(TEXTS[INDEX.name]) if NAME.fullmatch(code)}
    assert len(named) >= 8
    assert named <= log_events() | set(declared())


@pytest.mark.parametrize("name", TEXTS)
def test_settings_named_are_settings(name: str) -> None:
    assert {word for word in SETTING.findall(TEXTS[name]) if word not in settings_table()} == set()


@pytest.mark.integration
def test_every_question_to_the_table_can_be_asked(database_url: str) -> None:
    asked = [(name, statement) for name, text in TEXTS.items() for statement in SELECT.findall(text)]
    assert len(asked) >= 5
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name, statement in asked:
            plan = connection.execute(f"EXPLAIN {statement}".encode()).fetchall()
            assert plan, name
