"""Spans of the relay: one for a delivery's request, and one for bringing its records to safety.

They stand around `Web` and `Publisher`; where spans are off, nothing of this is in the way of an event. A
record's `traceparent` names the second span, so that whoever reads it can go on from there.
"""

from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import time_ns
from typing import Final

from opentelemetry.trace import SpanContext, SpanKind

from config.spans import Spans, context_of
from producers.delivery import Whereabouts
from producers.exchange import Application, Exchange, Scope
from producers.publish import Publishing, Record
from schemas.headers import trace_of

_WEBHOOK: Final = "/webhooks/{source}"
"""The route; the path itself may end with a token, and is told nowhere."""
_SERVER_ERROR: Final = 500


@dataclass
class _Request:
    """A delivery under way, with the trace that it came with or its records were given."""

    parent: SpanContext | None
    context: SpanContext | None = None
    status: int = 0
    began_ns: int = field(default_factory=time_ns)


_current: Final[ContextVar[_Request | None]] = ContextVar("request", default=None)


class TracedWeb:
    """Tells of each request to a webhook's route."""

    def __init__(self, web: Application, spans: Spans) -> None:
        self._web, self._spans = web, spans

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        if not scope.path.startswith(("/webhooks/", "/asleep-webhook")):
            await self._web.__rsgi__(scope, exchange)
            return
        parent = _context_of(scope.headers.get("traceparent"))
        request = _Request(parent, None if parent is None else self._under(parent))
        token = _current.set(request)
        try:
            await self._web.__rsgi__(scope, _Watched(exchange, request))
        finally:
            _current.reset(token)
            self._tell(request, scope.method)

    def _under(self, parent: SpanContext) -> SpanContext:
        return self._spans.drawn(parent.trace_id, sampled=parent.trace_flags.sampled)

    def _tell(self, request: _Request, method: str) -> None:
        method = method if method in {"GET", "HEAD", "POST"} else "_OTHER"
        self._spans.ended(
            f"{method} {_WEBHOOK}",
            SpanKind.SERVER,
            request.context or self._spans.drawn(),
            parent=request.parent,
            began_ns=request.began_ns,
            ended_ns=time_ns(),
            attributes={
                "http.request.method": method,
                "http.route": _WEBHOOK,
                "http.response.status_code": request.status,
            },
            problem=str(request.status) if request.status >= _SERVER_ERROR else None,
        )


class TracedPublisher:
    """Tells of each delivery's records on their way to safety."""

    def __init__(self, publisher: Publishing, spans: Spans) -> None:
        self._publisher, self._spans = publisher, spans

    async def publish(self, records: Sequence[Record]) -> Whereabouts:
        """Bring them to safety, as the publisher within does."""
        began_ns = time_ns()
        outcome: dict[str, str] = {}
        problem: str | None = None
        try:
            whereabouts = await self._publisher.publish(records)
            outcome["session_relay.whereabouts"] = whereabouts
        except BaseException as error:
            problem = type(error).__name__
            raise
        else:
            return whereabouts
        finally:
            self._tell(records, began_ns, outcome, problem)

    def _tell(
        self, records: Sequence[Record], began_ns: int, outcome: dict[str, str], problem: str | None
    ) -> None:
        context = _context_of(dict(records[0].headers)["traceparent"].decode()) if records else None
        if context is None:
            return
        request, parent = _current.get(), None
        if request is not None:
            if request.context is None:  # it came without a trace, and its records were given one
                request.context = self._spans.drawn(context.trace_id)
            if request.context.trace_id == context.trace_id:
                parent = request.context
        topic = records[0].topic
        self._spans.ended(
            f"send {topic}",
            SpanKind.PRODUCER,
            context,
            parent=parent,
            began_ns=began_ns,
            ended_ns=time_ns(),
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.name": "send",
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "messaging.batch.message_count": len(records),
                **outcome,
            },
            problem=problem,
        )


@dataclass(frozen=True)
class Tracing:
    """Puts itself around what the relay is wired of."""

    spans: Spans

    def web(self, web: Application) -> TracedWeb:
        """Around the application."""
        return TracedWeb(web, self.spans)

    def publisher(self, publisher: Publishing) -> TracedPublisher:
        """Around what brings records to safety."""
        return TracedPublisher(publisher, self.spans)


class _Watched:
    """An exchange whose status is noted."""

    def __init__(self, exchange: Exchange, request: _Request) -> None:
        self._exchange, self._request = exchange, request

    async def __call__(self) -> bytes:
        return await self._exchange()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._exchange.__aiter__()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the whole answer."""
        self._request.status = status
        self._exchange.response_bytes(status, headers, body)


def _context_of(traceparent: str | None) -> SpanContext | None:
    trace = trace_of(traceparent)
    if trace is None:
        return None
    return context_of(int(trace.trace_id, 16), int(trace.span_id, 16), sampled=trace.is_sampled)
