"""Spans by OTLP over HTTP, told when they have ended, under ids that the records carry already.

Only imported where `APP__TRACES` is on. OpenTelemetry's own variables say where to and how much:
`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_*`, `OTEL_SDK_DISABLED`.
"""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from random import Random
from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

MOST_LINKS: Final = 100
"""Of one span: a batch may hold 10,000 records."""

Attributes = Mapping[str, str | int]


class Spans:
    """Hands spans over to an exporter that works in a thread of its own and drops what it can't send.

    Args:
        role: What this process is: the service is `session-relay-<role>`, unless `OTEL_*` name it.
    """

    def __init__(self, role: str) -> None:
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.getenv(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        self._resource = Resource.create({} if named else {"service.name": f"session-relay-{role}"})
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler  # by OTEL_TRACES_SAMPLER
        self._scope = InstrumentationScope("session-relay", version("session-relay"))
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._off = os.getenv("OTEL_SDK_DISABLED", "").lower() == "true"
        self._chance = Random(os.urandom(32))  # noqa: S311 - ids of spans are no secrets

    def drawn(self, trace_id: int | None = None, *, sampled: bool = True) -> SpanContext:
        """The context of a new span, of this trace or of a new one."""
        trace_id = trace_id or self._chance.getrandbits(128) or 1
        return context_of(trace_id, self._chance.getrandbits(64) or 1, sampled=sampled)

    def ended(  # noqa: PLR0913 - all that a span is
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        *,
        began_ns: int,
        ended_ns: int,
        attributes: Attributes,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        events: Mapping[str, int] | None = None,
        problem: str | None = None,
    ) -> None:
        """Tell of a span that has ended.

        Args:
            name: Operation and what it is done to, both from closed sets.
            kind: Its place between processes.
            context: Its ids.
            began_ns: In nanoseconds since 1970.
            ended_ns: Likewise.
            attributes: By OpenTelemetry's semantic conventions; nothing of a person.
            parent: What it is a part of; the sampler decides about a span without one.
            links: What else led to it; no more than `MOST_LINKS`.
            events: When what happened meanwhile.
            problem: The name of the error that it ended with.
        """
        if self._off or not self._is_sampled(name, context, parent):
            return
        self._processor.on_end(
            ReadableSpan(
                name,
                context,
                parent,
                self._resource,
                dict(attributes) | ({} if problem is None else {"error.type": problem}),
                [Event(event, timestamp=at_ns) for event, at_ns in (events or {}).items()],
                [Link(link) for link in links],
                kind,
                status=Status(StatusCode.UNSET if problem is None else StatusCode.ERROR),
                start_time=began_ns,
                end_time=ended_ns,
                instrumentation_scope=self._scope,
            )
        )

    def close(self, timeout_s: float) -> None:
        """Send what waits, for no longer than this: the exporter itself would try for half a minute."""
        closing = Thread(target=self._processor.shutdown, name="spans-closing", daemon=True)
        closing.start()
        closing.join(timeout_s)

    def _is_sampled(self, name: str, context: SpanContext, parent: SpanContext | None) -> bool:
        if parent is not None or not context.trace_flags.sampled:
            return context.trace_flags.sampled
        return self._sampler.should_sample(None, context.trace_id, name).decision is not Decision.DROP


def context_of(trace_id: int, span_id: int, *, sampled: bool) -> SpanContext:
    """A span's ids, as W3C's `traceparent` has them."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags)
