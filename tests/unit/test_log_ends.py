"""What a failed test shows of the logs of its processes."""

from pathlib import Path

from tests.log_ends import end_of


def test_the_last_lines_are_shown(tmp_path: Path) -> None:
    (log := tmp_path / "sink.log").write_bytes(b"".join(b"line %d\xff\n" % n for n in range(100)))
    shown = end_of(log).splitlines()
    assert (len(shown), shown[0], shown[-1]) == (
        12,
        "line 88\N{REPLACEMENT CHARACTER}",
        "line 99\N{REPLACEMENT CHARACTER}",
    )


def test_a_fault_below_python_is_shown_from_its_begin(tmp_path: Path) -> None:
    (log := tmp_path / "sink.log").write_text("before\nFatal Python error: Aborted\n" + "frame\n" * 30)
    assert end_of(log).splitlines() == ["Fatal Python error: Aborted", *["frame"] * 30]
