# /// script
# requires-python = ">=3.11"
# dependencies = ["fastavro>=1.13", "fsspec>=2025.3", "polars>=1.30"]
# ///
"""Reads the finished nights of an archive into a polars frame, and prints it or writes Parquet.

    uv run --script examples/archive_to_polars.py /srv/archive nights.parquet

Nothing but the archive is needed: no broker, no registry. What its manifest does not name does not belong to
it; each file is held against its SHA-256 first. polars' own reader of Avro refuses such files (2.1), so
fastavro reads, and only the columns go to polars. A bucket does too, with s3fs or the like beside this.
"""

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import fastavro
import fsspec
import polars as pl

STAGES = {0: "wake", 1: "light", 2: "deep", 3: "rem"}
SCHEMA = {
    "day": pl.String,
    "event_id": pl.String,
    "source": pl.String,
    "session_id": pl.String,
    "session_start_time": pl.Datetime("us", "UTC"),
    "session_end_time": pl.Datetime("us", "UTC"),
    **{f"{name}_minutes": pl.Float64 for name in STAGES.values()},
}


def records(path: str) -> Iterator[tuple[str, Any]]:
    """Each file's day and its records, in the log's order; a file of this size fits into memory."""
    files, root = fsspec.core.url_to_fs(path)
    entries = json.loads(files.cat_file(f"{root}/manifest.json"))["files"]
    for entry in sorted(entries, key=lambda entry: (entry["partition"], entry["begin"])):
        content = files.cat_file(f"{root}/{entry['path']}")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise ValueError(f"{entry['path']} is not what was archived")
        for record in fastavro.reader(io.BytesIO(content)):
            yield entry["day"], record


def row(day: str, event: Any) -> dict[str, Any]:
    """A night as a row: minutes of each stage are counted in the hypnogram."""
    stages = event["sleep_stages"] or b""
    minutes = event["epoch_seconds"] / 60
    told = {name: event[name] for name in SCHEMA if name in event} | {"day": day}
    return told | {f"{name}_minutes": stages.count(stage) * minutes for stage, name in STAGES.items()}


def main() -> None:
    """Keep of each night the last that is told; the sink's rule is stricter, see docs/consuming.md."""
    nights, seen = {}, 0
    for day, record in records(sys.argv[1]):
        seen += 1
        event = record["event"]  # None where it can't be read; record["value"] has its bytes
        if event is not None and event["type"] == "SESSION_COMPLETE":
            nights[event["tenant"], event["source"], event["session_id"]] = row(day, event)
    frame = pl.DataFrame(list(nights.values()), schema=SCHEMA)
    if len(sys.argv) > 2:  # noqa: PLR2004 - the second argument
        frame.write_parquet(sys.argv[2])
    by_day = frame.group_by("day").agg(pl.len().alias("nights"), pl.col("deep_minutes").mean()).sort("day")
    sys.stdout.write(f"{by_day}\n{seen} records, {len(frame)} nights\n")


if __name__ == "__main__":
    main()
