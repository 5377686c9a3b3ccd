"""`make replay-kills`: rounds of a seed, a line of JSON, and non-zero if anything was wrong.

A finding is told with the command that plays its round again: `make replay-kills ARGS="--seed S --only N"`.
"""

import json
import random
import shutil
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from tests.own_places import migrated_template, own_database, own_topic
from tests.replay_kills.play import kill_copy, kill_rebuild
from tests.seeded_rounds import parser_of, rounds_of, stage
from tests.sink_rig import SinkRig

KEPT = Path(".session-relay") / "replay-kills"


def main() -> int:
    """Run as the arguments tell; the exit status."""
    seed, rounds = rounds_of(parser_of("make replay-kills", 50).parse_args())
    with stage() as (place, services):
        summary = play(services, place, seed, rounds)
    print(json.dumps(summary))  # noqa: T201 - the result
    return int(bool(summary["failed"]))


def play(services: EmbeddedServices, place: Path, seed: int, rounds: range) -> dict[str, Any]:
    """Play these rounds; what failed is told at once, and its logs are kept."""
    template = migrated_template(services.addresses.database_url)
    admin = AdminClient({"bootstrap.servers": services.addresses.kafka_bootstrap_servers, "log_level": 0})
    died: Counter[str] = Counter()
    failed = []
    for number in rounds:
        logs = place / f"round-{number}"
        logs.mkdir()
        try:
            at = one(services, admin, template, logs, random.Random(f"{seed}/{number}"))
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            shutil.copytree(logs, KEPT / f"{seed}-{number}", dirs_exist_ok=True)
            failed.append(number)
            again = f'make replay-kills ARGS="--seed {seed} --only {number}"'
            print(f"{traceback.format_exc()}round {number} failed: {again}", file=sys.stderr)  # noqa: T201
        else:
            died += at
            print(f"round {number}: {dict(at)}", file=sys.stderr, flush=True)  # noqa: T201 - progress
        shutil.rmtree(logs)
    return {"seed": seed, "rounds": len(rounds), "failed": failed, "killed_in": dict(died)}


def one(
    services: EmbeddedServices, admin: AdminClient, template: str, logs: Path, chance: random.Random
) -> Counter[str]:
    """One round, on topics and databases of its own; returns in which steps was killed."""
    died: Counter[str] = Counter()
    for is_rebuild in (True, False):
        with own_database(services.addresses.database_url, template) as url:
            rig = SinkRig(services, own_topic(admin), url, logs)
            try:
                if is_rebuild:
                    died += kill_rebuild(rig, logs, chance, chance.choice([1, 2]))
                else:
                    died += kill_copy(rig, admin, logs, chance, count=1_500, kills=2)
            finally:
                rig.close()
    return died


if __name__ == "__main__":
    sys.exit(main())
