import json

import pytest
from typer.testing import CliRunner

from producers.sources import VENDORS
from session_relay.cli import app, main


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["vendors", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_every_vendor_is_listed_with_what_it_sends() -> None:
    told = json.loads(run("--json"))
    assert told.keys() == VENDORS.keys()
    assert told["oura"]["events"]["SESSION_DELETED"] == "event_time"
    assert (told["oura"]["challenge"], told["asleep"]["challenge"]) == (True, False)
    assert "userAccessToken" in told["garmin"]["redact"]


def test_people_get_a_list() -> None:
    output = run()
    for name, vendor in VENDORS.items():
        assert f"{name}  {vendor.about}" in output
    assert "SESSION_COMPLETE    occurred_at: session.end_time\n" in output


@pytest.mark.usefixtures("nothing_set")
@pytest.mark.parametrize("command", [["relay"], ["config", "check"]])
def test_an_unknown_vendor_ends_with_2_and_the_names_that_are_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    entry = {"vendor": "a-vendor-nobody-knows", "schemes": [{"scheme": "none"}], "tenant": ""}
    monkeypatch.setenv("SOURCES", json.dumps({"mine": entry}))
    monkeypatch.setattr("sys.argv", ["session-relay", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "SOURCES.mine.vendor: should be 'asleep', 'garmin', 'generic' or 'oura'\n" in told
    assert "SOURCES.mine.tenant" in told
    assert "nobody-knows" not in told
