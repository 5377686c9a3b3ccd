"""Spans of the sink: one for each batch, from decoded to COMMIT, linked to what published its records.

Only imported where spans are on; it stands around `Apply`.
"""

from collections.abc import Mapping
from time import time_ns
from typing import Final

from opentelemetry.trace import SpanContext, SpanKind

from config.spans import MOST_LINKS, Spans, context_of
from consumers.apply import Applying, Settle
from consumers.batch import Batch, Read
from consumers.positions import Position
from consumers.write import Tally
from schemas.headers import trace_of

COMMIT: Final = "commit"
"""The event of a span that tells when rows and offsets were committed; of several pieces the last."""


class TracedApply:
    """Tells of each batch that is applied, or was tried to be."""

    def __init__(self, apply: Applying, spans: Spans, *, topic: str, group: str) -> None:
        self._apply, self._spans, self._topic, self._group = apply, spans, topic, group

    def __call__(self, batch: Batch, positions: Mapping[int, Position], settle: Settle) -> None:
        """Apply a batch, as what is within does."""
        began_ns, records = time_ns(), batch.rows
        # now: the batch loses what Postgres rejects, and after COMMIT another thread may ask for headers too
        links = [link for read in batch.reads[:MOST_LINKS] if (link := published(read)) is not None]
        events: dict[str, int] = {}
        outcomes: dict[str, int] = {}
        problem: str | None = None

        def settled(piece: Batch, tally: Tally) -> None:
            events[COMMIT] = time_ns()
            for counts in tally.values():
                for outcome, count in counts.items():
                    name = f"session_relay.{outcome.value}"
                    outcomes[name] = outcomes.get(name, 0) + count
            settle(piece, tally)

        try:
            self._apply(batch, positions, settled)
        except BaseException as error:
            problem = type(error).__name__
            raise
        finally:
            self._spans.ended(
                f"process {self._topic}",
                SpanKind.CONSUMER,
                self._spans.drawn(),
                began_ns=began_ns,
                ended_ns=time_ns(),
                attributes={
                    "messaging.system": "kafka",
                    "messaging.operation.name": "process",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": self._topic,
                    "messaging.consumer.group.name": self._group,
                    "messaging.batch.message_count": records,
                    **outcomes,
                },
                links=links,
                events=events,
                problem=problem,
            )


def published(read: Read) -> SpanContext | None:
    """The span that the record's `traceparent` names; None where it names none, or one that nobody keeps."""
    for name, value in read.headers:
        if name == "traceparent" and value is not None:
            trace = trace_of(value.decode("ascii", "replace"))
            if trace is not None and trace.is_sampled:
                return context_of(int(trace.trace_id, 16), int(trace.span_id, 16), sampled=True)
    return None
