import json
import socket
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import results
from benchmarks.figures import Series
from benchmarks.relay_rounds import told_of_relay
from benchmarks.sink_rounds import told_of_sink


def series(**figures: float) -> dict[str, Series]:
    return {name: Series.of([value]) for name, value in figures.items()}


def measured() -> dict[str, Any]:
    sink = {
        "sink, narrow": series(rate=36_000, cpu_s=7.5, peak_mib=130.4),
        "sink, night": series(rate=9_000, cpu_s=8.5, peak_mib=190.0),
        "Postgres alone, narrow": series(rate=60_000),
        "Postgres alone, night": series(rate=18_000),
        "plain statement, narrow": series(rate=90_000),
    }
    relay = {
        "relay": series(rate=10_000, p50_ms=5.1, p99_ms=9.9, cpu_cores=1.1, peak_mib=80),
        "204 at once": series(rate=40_000, p50_ms=1.3, p99_ms=3.3, cpu_cores=1.0, peak_mib=70),
    }
    return {
        "sink": told_of_sink(sink, narrow_count=500_000, night_count=100_000),
        "relay": told_of_relay(relay),
        **results.around({"kafka": "4.3.1", "postgres": "18.4"}, 1, 0.123),
    }


def test_ratios_stand_where_they_are_looked_for() -> None:
    told = measured()
    assert (told["sink"]["ratio"], told["sink"]["ratio_plain"], told["sink"]["ratio_night"]) == (
        0.6,
        0.4,
        0.5,
    )
    assert told["relay"]["ratio"] == 0.25
    assert told["sink"]["narrow"]["rate"] == {"median": 36_000, "min": 36_000, "max": 36_000}
    assert told["relay"]["p99_ms"]["median"] == 9.9


def test_results_name_versions_and_size_but_never_the_machine(tmp_path: Path) -> None:
    results.write(measured(), tmp_path / "results.json")
    text = (tmp_path / "results.json").read_text()
    told = json.loads(text)
    assert told["versions"]["kafka"] == "4.3.1"
    assert {"python", "postgres", "confluent-kafka", "psycopg"} < told["versions"].keys()
    assert told["machine"]["cores"] >= 1
    assert socket.gethostname() not in text
    assert str(Path.cwd()) not in text


def test_both_tables_show_every_ratio_and_what_is_promised() -> None:
    console = Console(width=140, record=True, file=StringIO())
    console.print(results.as_table(measured()))
    markdown = results.as_markdown(measured())
    for shown in (console.export_text(), markdown):
        for cell in ("36,000 (36,000 to 36,000)", "0.60 (0.60 to 0.60)", "at least 0.25", "5.1 / 9.9 ms"):
            assert cell in shown
    assert {line.count("|") for line in markdown.splitlines() if line.startswith("|")} == {6}


def test_a_part_that_was_left_out_has_no_rows() -> None:
    told = measured()
    del told["sink"]
    assert [row[0] for row in results.rows(told)] == ["relay, signed webhooks", "… latency, p50 / p99"]


def test_an_outage_under_load_is_two_rows() -> None:
    figures = series(outage_s=10.2, seconds_to_empty=2.4, p99_ms=14.5, first_ms=2_030.0)
    told = {name: one.told(2) for name, one in figures.items()}
    rate = series(rate=9_000)["rate"].told()
    spool = {"rate": rate, "drain_rate": rate, "p50_ms": rate, "p99_ms": rate, "recovery": told}
    rows = {row[0]: row[1] for row in results.rows({"spool": spool})}
    assert rows["… at half the load, after 10 s away: seconds until it is empty"] == "2.4 (2.4 to 2.4)"
    assert rows["… latency while away, p99 / the first's longest"] == "14.5 / 2030 ms"


def test_conditions_are_told_against_the_ordinary_one() -> None:
    names = ("one", "two_processes", "half_updates", "tenth_repeated", "batch_1000", "batch_10000")
    runs = {name: {"rate": {"median": 40_000, "min": 1, "max": 50_000}} for name in names}
    cpu = {name: {"cpu_s_per_100k": {"median": 1.5 if name == "two_processes" else 1.0}} for name in names}
    told: dict[str, Any] = {name: runs[name] | cpu[name] for name in names} | {
        "events": 250_000,
        "large_table": {"rows_before": 5_000_000, "rate": 30_000.4},
        "latency": {"p50_ms": 12.5, "p99_ms": 31.0},
    }
    told["half_updates"]["rate"]["median"] = 20_000
    spent = {"decode": 0.9, "copy": 0.2, "apply": 1.1, "commit": 0.1}
    told["one"] |= {f"{name}_s_per_100k": {"median": seconds} for name, seconds in spent.items()}
    rows = {row[0]: row[1:] for row in results.rows({"conditions": told})}
    assert rows["sink, every second event an update (250,000)"][2] == "0.50"
    assert rows["sink, 5,000,000 other rows in the table"][::2] == ("30,000", "0.75")
    assert rows["… CPU seconds for 100,000 events, two processes and one"][:3] == ("1.5", "1", "1.50")
    stages = "… seconds for 100,000 events in decode / COPY / fence, upsert, offsets / COMMIT"
    assert rows[stages][0] == "0.90 / 0.20 / 0.90 / 0.10"
    assert rows["acknowledged to COMMIT at 100 a second, p50 / p99"][0] == "12.5 / 31 ms"


def test_every_condition_that_is_kept_is_explained_on_the_page() -> None:
    kept = [name for name, told in json.loads(results.FILE.read_text("utf-8"))["conditions"].items() if told]
    page = results.FILE.with_name("README.md").read_text("utf-8")
    assert "batch_1000" in kept
    assert [name for name in kept if f"`{name}`" not in page and name != "events"] == []


def test_a_part_that_was_measured_alone_takes_its_place_and_keeps_its_date(tmp_path: Path) -> None:
    path, whole = tmp_path / "results.json", measured() | {"valid": True, "invalid": []}
    results.write(whole, path)
    part = {"relay": {"ratio": 0.5}, **results.around({}, 5, 0.1), "valid": False, "invalid": ["relay: slow"]}
    for _ in range(2):
        results.write(part | {"date": "2027-01-02"}, path, alone="relay")
    told = json.loads(path.read_text())
    assert (told["sink"]["ratio"], told["relay"]) == (whole["sink"]["ratio"], {"ratio": 0.5})
    assert (told["date"], told["valid"], told["invalid"]) == (whole["date"], False, ["relay: slow"])
    assert results.title(told).endswith("one round; relay measured alone, 2027-01-02, 5 rounds")
    results.write(whole, path)
    assert "alone" not in json.loads(path.read_text())
