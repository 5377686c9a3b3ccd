"""Files of scored nights: read exactly, or refused with the line and the field."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from session_relay.simulate.nights import Night, NightsError, from_file, load


def line(**changes: Any) -> str:
    whole = {"source": "s", "subject": "p1", "night": 1, "epoch_seconds": 30, "stages": [-1, 0, 1, 2, 3]}
    return json.dumps({name: value for name, value in (whole | changes).items() if value is not ...})


def test_nights_are_read_in_order_and_repeat(tmp_path: Path) -> None:
    path = tmp_path / "nights.jsonl"
    path.write_text(line() + "\n\n" + line(stages=[1], epoch_seconds=60) + "\n")
    first, second = Night((-1, 0, 1, 2, 3), 30), Night((1,), 60)
    assert load(path) == [first, second]
    assert list(islice(from_file(path), 3)) == [first, second, first]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("{", "line 2: not JSON"),
        ("[" * 100_000, "line 2: not JSON"),
        ("[1]", "line 2: not an object"),
        (line(stages=...), "line 2: field stages is missing"),
        (line(stages="0123"), "line 2: field stages is not of type list"),
        (line(night=True), "line 2: field night is not of type int"),
        (line(subject=7), "line 2: field subject is not of type str"),
        (line(stages=[0, 4]), r"line 2: field stages\[1\] is not one of"),
        (line(stages=[0, 1.0]), r"line 2: field stages\[1\] is not one of"),
        (line(stages=[True]), r"line 2: field stages\[0\] is not one of"),
        (line(stages=[]), "line 2: field stages is empty"),
        (line(epoch_seconds=0), "line 2: field epoch_seconds is not within"),
    ],
)
def test_a_bad_line_is_refused_by_number_and_field(tmp_path: Path, bad: str, told: str) -> None:
    path = tmp_path / "nights.jsonl"
    path.write_text(f"{line()}\n{bad}\n")
    with pytest.raises(NightsError, match=told):
        load(path)


def test_a_file_without_nights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nights.jsonl"
    path.write_text("\n")
    with pytest.raises(NightsError, match="holds no night"):
        load(path)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NightsError, match="can't be read as text: No such file"):
        load(tmp_path / "absent.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(NightsError, match="can't be read as text: not UTF-8"):
        load(tmp_path / "binary")
