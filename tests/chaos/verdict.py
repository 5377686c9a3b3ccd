"""What a round must leave: every acknowledged event, each effect once, and nothing parked that is well."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import Message

from schemas.codec import decode
from schemas.event import SessionEvent
from session_relay.simulate.compare import compare
from tests.chaos.load import Account
from tests.chaos.stage import TENANT, Stage, connected
from tests.events import expected_of
from tests.relay_process import records
from tests.row_history import counted_twice, offsets_went_back, regressed, unbalanced


@dataclass
class Verdict:
    """What was found wrong; all zero and empty where nothing was."""

    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    regressed: int = 0
    parked_wrongly: int = 0
    problems: list[str] = field(default_factory=list)

    def expect(self, right: bool, problem: str) -> None:
        """Note a problem unless it is right."""
        if not right:
            self.problems.append(problem)


def judge(stage: Stage, account: Account, problems: Sequence[str]) -> Verdict:
    """Hold Kafka against the sender's account, and the table against both."""
    verdict = Verdict(acknowledged=account.acknowledged, problems=list(problems))
    log = sorted(records(stage.rig.kafka, stage.rig.topic), key=lambda one: (one.partition(), one.offset()))
    events = [_event(one) for one in log if _value(one) not in stage.poison]
    _judge_log(verdict, events, account)
    _judge_rows(verdict, stage, account, events)
    _judge_letters(verdict, stage, log)
    with connected(stage.rig) as connection:
        verdict.regressed = regressed(connection) + offsets_went_back(connection)
        verdict.duplicated = counted_twice(connection)
        wrong = unbalanced(connection)
    verdict.expect(verdict.regressed == 0, f"{verdict.regressed} states or offsets went backwards")
    verdict.expect(wrong == 0, f"after {wrong} COMMITs outcomes were not as many as records")
    return verdict


def _judge_log(verdict: Verdict, events: Sequence[SessionEvent], account: Account) -> None:
    """All that was acknowledged is in Kafka; one user's first occurrences are in order."""
    missing = account.safe.keys() - {event.event_id for event in events}
    verdict.lost += len(missing)
    verdict.expect(not missing, f"{len(missing)} acknowledged events are not in Kafka")
    latest: dict[str, int] = {}
    overtaken, seen = 0, set[str]()
    for event in events:
        if event.event_id in seen or event.event_id not in account.safe:
            continue
        seen.add(event.event_id)
        begun, safe = account.safe[event.event_id]
        overtaken += latest.get(event.user_id, 0) > safe
        latest[event.user_id] = max(begun, latest.get(event.user_id, 0))
    verdict.expect(
        overtaken == 0, f"{overtaken} events come in Kafka before one that was safe before they were sent"
    )


def _judge_rows(verdict: Verdict, stage: Stage, account: Account, events: Sequence[SessionEvent]) -> None:
    """The table is what the ledger, and what one clean pass over the log, would make it."""
    with connected(stage.rig) as connection:
        found = compare(connection, account, TENANT)
        told = "SELECT session_id, event_id::text, applied_event_ids::text[] FROM sessions"
        rows = {session: (winner, ids) for session, winner, ids in connection.execute(told.encode())}
    verdict.lost += found.lost
    verdict.problems += [f"ledger: {difference}" for difference in sorted(set(map(str, found.differences)))]
    expected = expected_of(events)
    differing = {key for key in rows.keys() | expected.rows.keys() if rows.get(key) != expected.rows.get(key)}
    verdict.expect(not differing, f"{len(differing)} rows are not what one clean pass leaves")
    sums = stage.rig.sums()
    got = {name: sums[name] for name in expected.outcomes}
    verdict.expect(got == expected.outcomes, f"outcomes are {got}, one clean pass has {expected.outcomes}")


def _judge_letters(verdict: Verdict, stage: Stage, log: Sequence[Message]) -> None:
    """Every poison record is parked, at least once in Kafka and once in the table; nothing else is."""
    poison = {(one.partition(), one.offset()) for one in log if _value(one) in stage.poison}
    parked = set()
    for letter in records(stage.rig.kafka, f"{stage.rig.topic}.dlq"):
        headers = dict(letter.headers() or [])
        told = [int(headers[f"dlq-origin-{what}"] or b"") for what in ("partition", "offset")]
        parked.add((told[0], told[1]))
    verdict.parked_wrongly = len(parked - poison)
    verdict.expect(
        parked == poison, f"parked {len(parked)}, {len(parked - poison)} wrongly, poison is {len(poison)}"
    )
    with connected(stage.rig) as connection:
        told_rows = connection.execute("SELECT origin_partition, origin_offset FROM dead_letters").fetchall()
    rows = Counter((row[0], row[1]) for row in told_rows)
    verdict.expect(
        rows == Counter(poison), f"{rows.total()} dead letters in the table, poison is {len(poison)}"
    )
    verdict.expect(stage.rig.sums()["parked"] == len(poison), "parked records are counted otherwise")


def _value(message: Message) -> bytes:
    return message.value() or b""


def _event(message: Message) -> SessionEvent:
    return decode(_value(message))
