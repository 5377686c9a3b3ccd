"""`make observe`: services, roles and a real Prometheus; queries find data, alerts fire and clear.

Not a part of `make test`: it needs Prometheus. Without one it ends with 4.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from config.errors import ExitCode
from tests.docs.tables import declared
from tests.docs.test_observability import RULE_TESTS, RULES
from tests.eventually import eventually
from tests.observe.drill import Tried, tried
from tests.observe.faults import FAULTS, Fault
from tests.observe.load import Load
from tests.observe.page import keep, table
from tests.observe.prometheus import CONFIGURATION, Prometheus, configured, prometheus
from tests.observe.queries import Queries
from tests.observe.stage import Stage

WITHIN_S: Final = 60.0
NIGHTS: Final = 600
RATE: Final = 60.0
"""Deliveries a second: long enough for rates over several scrapes."""
OCCASIONAL: Final = {"DeadLettersGrowing"}
"""What the occasions of an ordinary day make fire too."""
PROGRAMS: Final = ("prometheus", "promtool")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> ExitCode:
    """Run as the arguments tell."""
    parser = argparse.ArgumentParser(prog="make observe")
    names = sorted(alert for fault in FAULTS for alert in (*fault.alerts, *fault.afterwards))
    parser.add_argument(
        "--only", choices=names, metavar="ALERT", help="make this one's fault, and ask nothing else"
    )
    parser.add_argument(
        "--keep", action="store_true", help="write the table into docs/operations/alerts-tried.md"
    )
    told = parser.parse_args()
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        say(f"{', '.join(missing)} not on the PATH; on Debian and Ubuntu: apt install prometheus")
        return ExitCode.UNREACHABLE
    faults = [one for one in FAULTS if told.only in {None, *one.alerts, *one.afterwards}]
    with tempfile.TemporaryDirectory(prefix="session-relay-observe-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # another user runs the database where root calls
        if problem := checked(directory):
            say(problem)
            return ExitCode.FAILED
        with ExitStack() as stack:
            return observe(stack, directory, faults, asks=told.only is None, keeps=told.keep)


def checked(directory: Path) -> str:
    """What promtool finds wrong in the rules, their tests, and the configuration with short times."""
    commands = [
        ("check", "config", str(CONFIGURATION / "prometheus.yml")),
        ("check", "rules", *map(str, RULES)),
        ("test", "rules", *map(str, RULE_TESTS)),
        ("check", "config", str(configured(directory))),
    ]
    for command in commands:
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"promtool {' '.join(command)}:\n{done.stdout}{done.stderr}"
        say(f"promtool {' '.join(command[:2])}: good")
    return ""


def observe(
    stack: ExitStack, directory: Path, faults: Sequence[Fault], *, asks: bool, keeps: bool
) -> ExitCode:
    """Play the drills; the table of them is the last that is said."""
    stage = Stage(stack, directory)
    server = stack.enter_context(prometheus(directory, stage.targets()))
    stack.enter_context(Load().to(stage.relay_url))
    queries = Queries()
    if asks:
        occasions(stage, server, queries)
    found: list[Tried] = []
    problems: list[str] = []
    if asks and (false := server.firing() - OCCASIONAL):
        problems.append(f"firing though all is well: {', '.join(sorted(false))}")
    for fault in faults:
        try:
            found += rehearsed(fault, stage, server)
        except Exception as error:  # noqa: BLE001 - the other drills are still worth their while
            problems.append(f"{fault.told}: {error}")
            continue
        if asks:
            queries.ask(server)
    if asks:
        problems += queries.told() + differences(server)
        say(f"{queries.count} queries of the dashboards, {len(queries.told())} of them without data")
    for problem in problems:
        say(problem)
    if keeps and asks:
        keep(found)
    say(table(found))
    return ExitCode.FAILED if problems or not all(one.good for one in found) else ExitCode.DONE


def occasions(stage: Stage, server: Prometheus, queries: Queries) -> None:
    """Make what a dashboard shows of ordinary days, and ask."""
    stage.make_occasions()
    with stage.backfilling() as address:
        server.target("backfill", address)
        stage.send_nights(NIGHTS, RATE)
        eventually(lambda: server.values("max(dead_letters_open) >= 5"), WITHIN_S, every_s=0.5)
        eventually(lambda: server.values("sum(rate(backfill_users_total[30s])) > 0"), WITHIN_S, every_s=0.5)
        queries.ask(server)
    server.target("backfill", None)


def rehearsed(fault: Fault, stage: Stage, server: Prometheus) -> list[Tried]:
    """One drill, told as it goes."""
    say(f"fault: {fault.told}")
    found = tried(fault, stage, server)
    for one in found:
        say(f"  {one.alert}: {'fired and cleared' if one.good else 'NOT fired and cleared'}")
    return found


def differences(server: Prometheus) -> list[str]:
    """Between what the processes exposed in the whole run and what is declared, both ways."""
    parts = {"histogram": ("_bucket", "_count", "_sum", "_created"), "counter": ("", "_created")}
    allowed = {
        name.removesuffix("_total") + part if part == "_created" else name + part
        for name, (family, _) in declared().items()
        for part in parts.get(family.type, ("",))
    }
    seen = {name for job in ("relay", "sink", "backfill") for name in server.scraped(job)}
    whole = {
        name + ("_count" if family.type == "histogram" else "") for name, (family, _) in declared().items()
    }
    return [f"exposed and not declared: {name}" for name in sorted(seen - allowed)] + [
        f"declared and never exposed: {name}" for name in sorted(whole - seen)
    ]


if __name__ == "__main__":
    sys.exit(main())
