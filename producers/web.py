"""The relay's HTTP: routes, bytes and headers in, an answer out.

Served by Granian as RSGI, which is as fast as raw ASGI and bounds what a client may send before we see it.
"""

import asyncio
import itertools
import os
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

import structlog
from prometheus_client import Counter

from config import metrics
from config.health import LIVE_PATHS, READY_PATHS, Health
from producers import answers
from producers.answers import Answer
from producers.body import BodyReader
from producers.coding import check_coding
from producers.delivery import (
    Headers,
    NotAcknowledged,
    RateLimited,
    Refusal,
    Unauthenticated,
    UnsupportedMedia,
)
from producers.exchange import Exchange, Scope
from producers.intake import Intake
from producers.limits.limit import AddressLimit
from producers.pipeline import Pipeline
from producers.reading import Accepted
from producers.schema_routes import ENDPOINTS, SchemaRoutes
from schemas.headers import trace_id_of

log = structlog.get_logger()

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEALTH_PATHS: Final = frozenset({*LIVE_PATHS, *READY_PATHS})
_WEBHOOKS: Final = "/webhooks/{source}"
"""In logs and metrics, with a token or without: a path itself is never told, as it may hold one."""
_BATCH: Final = "/batch"
_BATCHES: Final = _WEBHOOKS + _BATCH
_JSON: Final = re.compile(r"application/(?:[a-z0-9!#$&^_.-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
"""RFC 8259, section 11, and the structured suffix of RFC 6839, section 3.1."""
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ALWAYS: Final = (
    ("server", "session-relay"),  # or else the server's own name
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)
"""What every answer tells besides: to caches that it is for one request alone, to attackers nothing."""
_BUG: Final = 500
_CLIENT_ERROR: Final = 400
_LIMITED: Final = 429
_LIMITED_TOLD: Final = 10
"""Lines of 429 between two turns; more are one line with their number: a flood must not fill the log."""


class Web:
    """The RSGI application.

    Args:
        intakes: The sources by name.
        pipeline: Where deliveries go.
        health: Answers the health routes.
        max_body_bytes: More is refused.
        timeout_s: Seconds for a body to arrive.
        limit: How many requests one address may make; None is no limit.
        log_successes: Whether each success is logged; asked once, for a line costs as much as the work.
    """

    def __init__(
        self,
        intakes: Mapping[str, Intake],
        pipeline: Pipeline,
        health: Health,
        *,
        max_body_bytes: int,
        timeout_s: float,
        limit: AddressLimit | None = None,
        log_successes: bool,
    ) -> None:
        self._routes = {f"/webhooks/{name}": intake for name, intake in intakes.items()}
        if "asleep" in intakes:
            self._routes["/asleep-webhook"] = intakes["asleep"]
        self._pipeline, self._health = pipeline, health
        self._bodies = BodyReader(max_body_bytes, timeout_s)
        self._limit, self._log_successes = limit, log_successes
        self.schemas: SchemaRoutes | None = None
        """Answers as a schema registry would, where there is no real one."""
        prefix = os.urandom(8).hex()  # once: it lets go of the interpreter's lock, which others then take
        self._ids = (f"{prefix}{number:08x}" for number in itertools.count(1))
        self._stopping = False
        self._in_flight = self._limited = 0
        self._idle = asyncio.Event()  # only of use once it is stopping

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        started_s = time.perf_counter()
        headers = scope.headers
        request_id = headers.get("x-request-id")
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = next(self._ids)
        path = scope.path
        intake, token, batch = self._routes.get(path), None, False
        if intake is None:
            intake, token, batch = self._with_more(path)
        self._in_flight += 1
        try:
            if intake is not None and scope.method == "POST":
                answer = await self._deliver(intake, scope, headers, exchange, request_id, token, batch=batch)
            else:
                answer = self._other(scope, intake, request_id, batch=batch)
            sent = [
                ("content-type", answer.media_type),
                ("x-request-id", request_id),
                *_ALWAYS,
                *answer.headers,
            ]
            exchange.response_bytes(answer.status, sent, answer.body)
        finally:
            self._in_flight -= 1
            if self._stopping and not self._in_flight:
                self._idle.set()
        endpoint = _BATCHES if batch and intake is not None else _WEBHOOKS
        self._note(scope, intake, endpoint, answer, request_id, time.perf_counter() - started_s)

    def turn(self) -> None:
        """What has to be done every second or so."""
        self._bodies.sweep()
        if (untold := self._limited - _LIMITED_TOLD) > 0:
            log.info("requests_limited", requests=untold)
        self._limited = 0

    async def stop(self, timeout_s: float) -> bool:
        """Refuse what comes from now on, and wait until all else is answered; False if it takes too long."""
        self._stopping = True
        if not self._in_flight:
            return True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def _with_more(self, path: str) -> tuple[Intake | None, str | None, bool]:
        """The source of a URL that ends with a token, `/batch` or both; authentication judges the token."""
        intake, token = self._with_token(path)
        if intake is not None or not path.endswith(_BATCH):
            return intake, token, False
        path = path.removesuffix(_BATCH)
        intake = self._routes.get(path)
        return (intake, None, True) if intake is not None else (*self._with_token(path), True)

    def _with_token(self, path: str) -> tuple[Intake | None, str | None]:
        route, _, token = path.rpartition("/")
        intake = self._routes.get(route)
        return (intake, token) if intake is not None and intake.takes_token else (None, None)

    async def _deliver(
        self,
        intake: Intake,
        scope: Scope,
        headers: Headers,
        exchange: Exchange,
        request_id: str,
        token: str | None,
        *,
        batch: bool,
    ) -> Answer:
        try:
            self._check_open()
            _check_media(headers)
            body = await self._bodies.read(exchange, headers)
            if self._limit is not None:
                self._limit.check(scope.client, headers)
            if batch:
                results = await self._pipeline.accept_batch(intake, headers, body, token)
                _note_parked(intake, results, request_id)
                return answers.batch(results)
            accepted = await self._pipeline.accept(intake, headers, body, token)
            if accepted.rejected:
                _note_parked(intake, [accepted], request_id)
            return answers.accepted(accepted)
        except Refusal as refusal:
            return answers.refused(refusal, request_id)
        except Exception as error:  # noqa: BLE001 - a bug costs one request, not the process
            # frames only: an exception's own text may quote the delivery
            frames = traceback.format_tb(error.__traceback__)
            name = type(error).__name__
            log.error("request_failed", error=name, frames=frames, request_id=request_id)  # noqa: TRY400 - see above
            return answers.failed(request_id)

    def _check_open(self) -> None:
        if self._stopping:
            raise NotAcknowledged("shutting_down")

    def _other(self, scope: Scope, intake: Intake | None, request_id: str, *, batch: bool) -> Answer:
        if intake is not None:
            if batch:
                return answers.wrong_method("POST", request_id)
            return self._challenged(intake, scope, request_id)
        if (health := self._health.route(scope.path)) is None:
            told = self.schemas.answer(scope.method, scope.path) if self.schemas is not None else None
            return told or answers.not_found(request_id)
        if scope.method not in {"GET", "HEAD"}:
            return answers.wrong_method("GET, HEAD", request_id)
        status, body = health()
        return Answer(status, "application/json", body if scope.method == "GET" else b"")

    def _challenged(self, intake: Intake, scope: Scope, request_id: str) -> Answer:
        """A challenge tries a token, so it counts like a delivery."""
        try:
            if self._limit is not None:
                self._limit.check(scope.client, scope.headers)
        except RateLimited as limited:
            return answers.refused(limited, request_id)
        return _challenged(intake, scope, request_id)

    def _note(
        self,
        scope: Scope,
        intake: Intake | None,
        endpoint: str,
        answer: Answer,
        request_id: str,
        duration_s: float,
    ) -> None:
        status = answer.status
        method = scope.method if scope.method in _METHODS else "OTHER"
        if intake is None:  # never an unknown path itself: it may be anything
            known = next((start for start in ENDPOINTS if scope.path.startswith(start)), "other")
            endpoint = scope.path if scope.path in _HEALTH_PATHS else known
        _requests(method, endpoint, status).inc()
        metrics.API_REQUEST_DURATION.labels(method, endpoint).note(duration_s)
        if status < _CLIENT_ERROR and not self._log_successes:
            return
        if status == _LIMITED:
            self._limited += 1
            if self._limited > _LIMITED_TOLD:
                return
        say = log.debug if status < _CLIENT_ERROR else log.warning if status >= _BUG else log.info
        say(
            "request",
            method=method,
            route=endpoint,
            status=status,
            duration_ms=round(duration_s * 1_000, 2),
            request_id=request_id,
            trace_id=trace_id_of(scope.headers.get("traceparent")),
            source=intake.name if intake else None,
            reason=answer.reason,
        )


def _note_parked(intake: Intake, results: Sequence[Accepted | Refusal], request_id: str) -> None:
    for one in results:
        if isinstance(one, Accepted) and (items := len(one.rejected)):
            told = {"source": intake.name, "items": items, "request_id": request_id, "trace_id": one.trace_id}
            log.warning("items_parked", **told)


def _challenged(intake: Intake, scope: Scope, request_id: str) -> Answer:
    """A vendor asks whether the address is right; everybody else took the wrong method."""
    if intake.challenge is None:
        return answers.wrong_method("POST", request_id)
    if scope.method not in {"GET", "HEAD"}:
        return answers.wrong_method("GET, HEAD, POST", request_id)
    body = intake.challenge(scope.query_string, intake.verification_tokens)
    if body is None:
        return answers.refused(Unauthenticated(), request_id)
    return Answer(200, "application/json", body if scope.method == "GET" else b"")


def _check_media(headers: Headers) -> None:
    """Let JSON pass, and a body whose type is not told: it will be parsed as JSON all the same."""
    declared = headers.get("content-type")
    if declared is not None and not _is_json(declared):
        raise UnsupportedMedia
    check_coding(headers)


@lru_cache(maxsize=64)
def _is_json(declared: str) -> bool:
    return _JSON.fullmatch(declared.strip()) is not None


@cache  # labels cost more than the count; all values are from closed sets
def _requests(method: str, endpoint: str, status: int) -> Counter:
    return metrics.API_REQUESTS.labels(method=method, endpoint=endpoint, status_code=str(status))
