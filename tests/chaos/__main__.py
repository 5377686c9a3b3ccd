"""`make chaos`: rounds of a seed, a line of JSON, and non-zero if anything was wrong.

A finding is told with the command that plays its round again: `make chaos ARGS="--seed S --only N"`.
"""

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from tests.chaos.deck import deal
from tests.chaos.faults import FAULTS
from tests.chaos.round import Ground, Outcome, play
from tests.chaos.stage import can_mount
from tests.own_places import migrated_template
from tests.seeded_rounds import parser_of, rounds_of, stage

KEPT = Path(".session-relay") / "chaos"


def main() -> int:
    """Run as the arguments tell; the exit status."""
    parser = parser_of("make chaos", 40)
    parser.add_argument(
        "--faults",
        default=None,
        metavar="NAMES",
        help="these in every round, comma separated; in their order",
    )
    told = parser.parse_args()
    if unknown := set((told.faults or "").split(",")) - {"", *FAULTS}:
        parser.error(f"no such faults: {', '.join(sorted(unknown))}; there are {', '.join(sorted(FAULTS))}")
    seed, rounds = rounds_of(told)
    with stage() as (place, services):
        template = migrated_template(services.addresses.database_url)
        hands = told.faults and [told.faults.split(",")] * rounds.stop
        outcomes = run(Ground(services, template, place), seed, rounds, hands)
    print(json.dumps(summary(seed, outcomes)))
    return int(any(outcome.verdict.problems for outcome in outcomes))


def drawn() -> list[str]:
    """The faults that can be had here."""
    return [name for name in FAULTS if name != "spool_disk_full" or can_mount()]


def run(
    ground: Ground, seed: int, rounds: range, hands: Sequence[Sequence[str]] | None = None
) -> list[Outcome]:
    """Play these rounds with dealt hands, or given ones; findings are told at once, and their logs kept."""
    hands = hands or deal(seed, rounds.stop, drawn())
    console = Console(stderr=True)
    columns = (
        *Progress.get_default_columns()[:3],
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    outcomes = []
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("chaos", total=len(rounds))
        for number in rounds:
            bar.update(task, description=f"round {number}: {', '.join(hands[number])}")
            begun_s = time.monotonic()
            outcome = play(ground, seed, number, hands[number])
            outcomes.append(outcome)
            if not console.is_terminal:
                happened = ", ".join(outcome.happened)
                console.print(
                    f"round {number}: {time.monotonic() - begun_s:.1f} s, {happened}", soft_wrap=True
                )
            if outcome.verdict.problems:
                _tell(console, ground, seed, number, outcome)
            shutil.rmtree(ground.logs / f"{seed}-{number}", ignore_errors=True)
            bar.advance(task)
    return outcomes


def _tell(console: Console, ground: Ground, seed: int, number: int, outcome: Outcome) -> None:
    kept = KEPT / f"{seed}-{number}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(ground.logs / f"{seed}-{number}", kept)
    for problem in outcome.verdict.problems:
        console.print(f"round {number}: {problem}", soft_wrap=True, markup=False)
    console.print(f'again: make chaos ARGS="--seed {seed} --only {number}"; logs: {kept}', markup=False)


def summary(seed: int, outcomes: list[Outcome]) -> dict[str, object]:
    """What the last line tells."""
    verdicts = [outcome.verdict for outcome in outcomes]
    faults = sum((outcome.happened for outcome in outcomes), Counter[str]())
    return {
        "seed": seed,
        "rounds": len(outcomes),
        "acknowledged": sum(verdict.acknowledged for verdict in verdicts),
        "lost": sum(verdict.lost for verdict in verdicts),
        "duplicated": sum(verdict.duplicated for verdict in verdicts),
        "regressed": sum(verdict.regressed for verdict in verdicts),
        "parked_wrongly": sum(verdict.parked_wrongly for verdict in verdicts),
        "findings": sum(len(verdict.problems) for verdict in verdicts),
        "faults": dict(sorted(faults.items())),
    }


if __name__ == "__main__":
    sys.exit(main())
