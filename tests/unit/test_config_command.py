import json

import pytest
from typer.testing import CliRunner

from config.errors import SettingsError
from session_relay.cli import app, main

pytestmark = pytest.mark.usefixtures("nothing_set")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["config", "check", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_it_prints_what_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINK__BATCH_ROWS", "7")
    assert ["SINK__BATCH_ROWS", "7"] in [line.split() for line in run().splitlines()]
    assert json.loads(run("--json"))["SINK__BATCH_ROWS"] == "7"


def test_the_table_is_printed_even_where_settings_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINK__BATCH_ROWS", "0")
    assert "| `SINK__BATCH_ROWS` | `20000` |" in run("--markdown")


def test_wrong_settings_end_with_2_and_a_line_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINK__BATCH_ROWS", "0")
    monkeypatch.setenv("SINK__FOO", "0")
    monkeypatch.setattr("sys.argv", ["session-relay", "config", "check", "--role", "sink"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert [line.split(":")[0].strip() for line in told.splitlines()[1:]] == [
        "DATABASE_URL",
        "SINK__BATCH_ROWS",
        "SINK__FOO",
    ]


def test_an_unknown_role_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["config", "check", "--role", "cook"])
    assert result.exit_code == 2
    assert not isinstance(result.exception, SettingsError)
