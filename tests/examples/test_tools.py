"""The examples that need tools of their own: `make test-examples`. One that is missing fails."""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from tests.demo_events import DemoEvents, demo_events
from tests.docs.source_tree import ROOT
from tests.relay_process import new_topic

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

JAVA = ROOT / "examples" / "java"
PROGRAM = """#!/bin/sh
exec java -cp "{classes}" {main} "$@"
"""
MAINS = {
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
}


def needed(*tools: str) -> None:
    assert [tool for tool in tools if shutil.which(tool) is None] == [], "not installed"


@pytest.fixture(scope="module")
def demo(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoEvents]:
    topic = new_topic(services.addresses.kafka_bootstrap_servers)
    with demo_events(services, topic, tmp_path_factory.mktemp("relay"), 120) as running:
        yield running


def counted(lines: list[str]) -> Counter[str]:
    """What `uniq -c` prints."""
    return Counter({name: int(count) for count, name in (line.split() for line in lines)})


def told_of(events: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """Events without the order of their members, repeats counted."""
    return Counter(tuple(sorted(event.items())) for event in events)


def section(output: str, title: str) -> list[str]:
    """The lines of a script's output below a title."""
    lines = output.splitlines()
    begin = next(place for place, line in enumerate(lines) if line.startswith(title)) + 1
    end = next((place for place in range(begin, len(lines)) if lines[place].endswith(":")), len(lines))
    return lines[begin:end]


def test_java_reads_every_event(demo: DemoEvents) -> None:
    needed("mvn", "java")
    output = demo.run("mvn", "-q", "-B", "-f", str(JAVA), "compile", "exec:java")
    lines = [line[line.index("{") :] for line in output.splitlines() if "{" in line]  # Maven may colour
    told = [json.loads(line) for line in lines]
    assert all(event.pop("occurred_at").endswith("Z") for event in told)
    assert told_of(told) == told_of(demo.events)


def test_kcat_tells_keys_headers_and_counts(demo: DemoEvents) -> None:
    needed("kcat")
    output = demo.run("examples/kcat.sh")
    assert sum(counted(section(output, "records by partition")).values()) == len(demo.events)
    types = Counter({f"sessionrelay.{kind.lower()}": count for kind, count in demo.types.items()})
    assert counted(section(output, "records by type")) == types
    first = section(output, "partition, offset")
    assert len(first) == 5
    assert all("ce_id=" in line and "traceparent=" in line for line in first)
    assert section(output, "the first record's frame") == [" 00 71 3f b3 02"]


def test_kafkas_console_consumer_tells_keys_headers_and_counts(demo: DemoEvents, tmp_path: Path) -> None:
    """Kafka's own tools, from Maven Central, under the names that a distribution gives them."""
    needed("mvn", "java")
    pom = Path(__file__).with_name("kafka_tools.pom.xml")
    classes = tmp_path / "classes"
    demo.run("mvn", "-q", "-B", "-f", str(pom), "dependency:build-classpath", f"-Dmdep.outputFile={classes}")
    for name, main in MAINS.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM.format(classes=classes.read_text("utf-8").strip(), main=main))
        program.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    output = demo.run("examples/console_consumer.sh", PATH=path)
    ends = [line.rpartition(":")[2] for line in section(output, "records by partition")]
    assert sum(map(int, ends)) == len(demo.events)
    records = [line for line in section(output, "keys and headers") if "ce_id:" in line]
    ids = Counter(line.split("ce_id:")[1].split(",")[0] for line in records)
    assert ids == Counter(event["event_id"] for event in demo.events)


def test_polars_gets_a_frame_of_nights(demo: DemoEvents, tmp_path: Path) -> None:
    needed("uv")
    run = ("uv", "run", "--quiet", "--python", sys.executable, "--no-project", "--script")
    parquet = tmp_path / "nights.parquet"
    output = demo.run(*run, "examples/to_polars.py", str(parquet))
    sessions = int(output.splitlines()[-1].split()[0])
    assert 0 < sessions <= demo.types["SESSION_COMPLETE"]
    assert parquet.stat().st_size > 0


def test_polars_gets_a_frame_of_an_archive(demo: DemoEvents, tmp_path: Path) -> None:
    needed("uv")
    archive = str(tmp_path / "archive")
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": demo.settings["KAFKA"],
        "KAFKA__EVENTS_TOPIC": demo.settings["TOPIC"],
        "KAFKA__DEAD_LETTERS_TOPIC": f"{demo.settings['TOPIC']}.dlq",
    }
    command = (sys.executable, "-m", "session_relay.cli", "archive", "--to", archive, "--execute")
    demo.run(*command, **settings)
    run = ("uv", "run", "--quiet", "--python", sys.executable, "--no-project", "--script")
    parquet = tmp_path / "nights.parquet"
    output = demo.run(*run, "examples/archive_to_polars.py", archive, str(parquet))
    seen, nights = (int(told.split()[0]) for told in output.splitlines()[-1].split(", "))
    assert seen == len(demo.events)
    assert 0 < nights <= demo.types["SESSION_COMPLETE"]
    assert parquet.stat().st_size > 0
