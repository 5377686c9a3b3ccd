"""The flow in figures: two looks at the sidecars' metrics, and what happened between them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from config.metrics import OUTCOMES
from session_relay.status.sidecars import Told
from session_relay.status.stage import Stage

ACCEPTED: Final = ("acknowledged", "spooled")
"""Outcomes in `relay_events_total` of events that the relay answers for."""


@dataclass(frozen=True, kw_only=True)
class RelayFigures:
    """The relays together; rates are events a second."""

    accepted_per_s: float
    acknowledged_per_s: float
    refused_per_s: float
    accepted: int
    kafka_up: bool
    queue_messages: int
    spool_events: int
    spool_bytes: int
    spool_room_bytes: int | None
    spool_set_aside_events: int
    spool_oldest_s: float


@dataclass(frozen=True, kw_only=True)
class SinkFigures:
    """The sinks together; rates are records a second."""

    written_per_s: float
    records_per_s: float
    outcomes: dict[str, int]
    lag_records: int
    oldest_unwritten_s: float
    committed_p95_s: float | None
    """From receipt to commit, of what was committed between the looks; None where nothing was."""
    gap_records: int
    storm_ratio: float
    dead_letters_open: int
    breakers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class BackfillFigures:
    """A backfill that runs."""

    published_per_s: float
    published: int
    users_left: int
    breakers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """The flow as it is; a stage of which no process answers is None."""

    at: datetime
    over_s: float
    relay: RelayFigures | None
    sink: SinkFigures | None
    backfill: BackfillFigures | None
    roles: tuple[Told, ...]

    @classmethod
    def between(cls, before: Sequence[Told], after: Sequence[Told]) -> Self:
        """What two looks show; who was not there at the first counts from its start."""
        stages = {name: Stage(name, before, after) for name in ("relay", "sink", "backfill")}
        return cls(
            at=datetime.now(UTC),
            over_s=max((stage.over_s for stage in stages.values()), default=0.0),
            relay=_relay(stages["relay"]) if stages["relay"].after else None,
            sink=_sink(stages["sink"]) if stages["sink"].after else None,
            backfill=_backfill(stages["backfill"]) if stages["backfill"].after else None,
            roles=tuple(after),
        )

    @property
    def is_whole(self) -> bool:
        """Whether every process that was asked has answered."""
        return all(told.answers for told in self.roles)

    def as_json(self) -> dict[str, Any]:
        """For programs: figures by stage, and each process."""
        stages = {name: getattr(self, name) for name in ("relay", "sink", "backfill")}
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "over_s": round(self.over_s, 3),
            **{
                name: None if figures is None else _rounded(asdict(figures))
                for name, figures in stages.items()
            },
            "roles": [
                {"url": told.url, "role": told.role, "version": told.version, "answers": told.answers}
                | {
                    "ready": told.answers and told.problem is None,
                    "problem": told.problem,
                    "weak": dict(told.weak),
                }
                for told in self.roles
            ],
        }


def _relay(stage: Stage) -> RelayFigures:
    per_s = {outcome: stage.rate("relay_events_total", outcome=outcome) for outcome in ACCEPTED}
    room = stage.all("relay_spool_room_bytes")
    return RelayFigures(
        accepted_per_s=sum(per_s.values()),
        acknowledged_per_s=per_s["acknowledged"],
        refused_per_s=stage.rate("relay_events_total") - sum(per_s.values()),
        accepted=int(sum(stage.sum("relay_events_total", outcome=outcome) for outcome in ACCEPTED)),
        kafka_up=min(stage.all("kafka_producer_up"), default=0) > 0,
        queue_messages=int(stage.sum("kafka_producer_queue_messages")),
        spool_events=int(stage.sum("relay_spool_events")),
        spool_bytes=int(stage.sum("relay_spool_bytes")),
        spool_room_bytes=int(min(room)) if room else None,
        spool_set_aside_events=int(stage.sum("relay_spool_set_aside_events")),
        spool_oldest_s=stage.most("relay_spool_oldest_seconds"),
    )


def _sink(stage: Stage) -> SinkFigures:
    return SinkFigures(
        written_per_s=stage.rate("sink_records_total", outcome="written"),
        records_per_s=stage.rate("sink_records_total"),
        outcomes={name: int(stage.sum("sink_records_total", outcome=name)) for name in OUTCOMES},
        lag_records=int(stage.sum("sink_lag_records")),
        oldest_unwritten_s=stage.most("sink_oldest_unwritten_seconds"),
        committed_p95_s=stage.percentile("event_age_seconds", "committed"),
        gap_records=int(stage.sum("sink_gap_records_total")),
        storm_ratio=stage.most("sink_storm_ratio"),
        dead_letters_open=int(stage.most("dead_letters_open")),
        breakers=stage.breakers(),
    )


def _backfill(stage: Stage) -> BackfillFigures:
    return BackfillFigures(
        published_per_s=stage.rate("backfill_sessions_total", outcome="published"),
        published=int(stage.sum("backfill_sessions_total", outcome="published")),
        users_left=int(stage.sum("backfill_users_left")),
        breakers=stage.breakers(),
    )


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: round(told, 3) if isinstance(told, float) else told for name, told in figures.items()}
