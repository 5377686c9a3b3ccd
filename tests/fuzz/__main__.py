"""`make fuzz`: a relay on real Kafka, a seed's requests, a line of JSON, and non-zero if anything was wrong.

A finding is told with the command that sends it again, alone: `make fuzz ARGS="--seed S --only N"`.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.fuzz.session import Run
from tests.fuzz.trials import trial
from tests.relay_process import RelayProcess, new_topic

BOUNDS: Final = {"REQUEST_TIMEOUT": "10", "HTTP__HEADER_TIMEOUT_S": "10"}
"""Of the relay: less than a connection waits for its answer, and enough for a body that comes in pieces from
a busy machine; nothing that is sent has to time out."""
MAX_GROWTH_MB = 50.0
_WARM = 5_000
"""Requests after which memory is looked at first: buffers and caches have their size by then."""
_SHOWN = 20


def resident_mb(relay: RelayProcess) -> float:
    """Memory of the relay."""
    return round(int(psutil.Process(relay.process.pid).memory_info().rss) / 1e6, 1)


async def fuzz(relay: RelayProcess, seed: int, requests: int, connections: int) -> tuple[Run, float]:
    """Send so many requests; the run, and the relay's memory once it was warm, in MB."""
    warm = min(_WARM, requests // 10)
    columns = (
        *Progress.get_default_columns()[:3],
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("fuzzing", total=requests)
        run = Run(relay.port, seed, lambda answered: bar.update(task, completed=answered))
        await run.send(range(warm), connections)
        start_mb = resident_mb(relay)
        await run.send(range(warm, requests), connections)
    return run, start_mb


def summary(run: Run, seed: int, rss_start_mb: float, rss_end_mb: float) -> dict[str, float]:
    """What the last line tells."""
    return {
        "seed": seed,
        "requests": run.answered,
        "unexpected": len(run.findings),
        "server_errors": run.server_errors,
        "rss_start_mb": rss_start_mb,
        "rss_end_mb": rss_end_mb,
    }


def tell(run: Run, seed: int, relay: RelayProcess) -> bool:
    """Say what was found, and how to see it again; False if nothing was."""
    for finding in run.findings[:_SHOWN]:
        allowed = sorted(finding.trial.statuses)
        again = f'make fuzz ARGS="--seed {seed} --only {finding.number}"'
        print(
            f"{finding.trial.kind}: {finding.status}, not one of {allowed}; again: {again}", file=sys.stderr
        )
    with relay.log.open() as log:
        loud = [line.rstrip() for line in log if '"level": "error"' in line or '"level": "critical"' in line]
    print(*loud[:_SHOWN], sep="\n", end="\n" if loud else "", file=sys.stderr)
    return bool(run.findings or run.server_errors or loud)


def main() -> int:
    """Run as the arguments tell; the exit status."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seed", type=int, default=None, help="which requests; any by default")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--only", type=int, default=None, help="send this one number, and show it")
    told = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if told.seed is None else told.seed
    with tempfile.TemporaryDirectory(prefix="session-relay-fuzz-") as name:
        Path(name).chmod(0o755)  # another user runs the database where root calls
        with EmbeddedServices.running(Path(name)) as services:
            kafka = services.addresses.kafka_bootstrap_servers
            with RelayProcess.running(Path(name), kafka, new_topic(kafka), **BOUNDS) as relay:
                eventually(relay.is_ready)
                if told.only is not None:
                    return _again(relay, seed, told.only)
                run, start_mb = asyncio.run(fuzz(relay, seed, told.requests, told.connections))
                end_mb = resident_mb(relay)
                found = tell(run, seed, relay) or end_mb - start_mb >= MAX_GROWTH_MB
                found = found or relay.process.poll() is not None
    print(json.dumps(summary(run, seed, start_mb, end_mb)))
    return int(found)


def _again(relay: RelayProcess, seed: int, number: int) -> int:
    run = Run(relay.port, seed)
    asyncio.run(run.send([number], 1))
    one = trial(seed, number)
    ((_, status),) = run.statuses
    print(f"{one.kind}: answered {status}, right would be {sorted(one.statuses)}", file=sys.stderr)
    print(one.wire)
    return int(tell(run, seed, relay))


if __name__ == "__main__":
    sys.exit(main())
