"""The relay's process: what it is wired of, and the order in which it starts and ends."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
import uvloop

from config.clock import Clock, SystemClock
from config.collector import calm_collector
from config.errors import ExitCode, RelayError
from config.health import Health
from config.settings import Settings
from config.sidecar import Sidecar
from config.tracing import spans_of
from producers.dead_letters import ParkingPlace
from producers.intake import Intake
from producers.limits.configured import Limits
from producers.listener import Listener
from producers.pipeline import Pipeline
from producers.publish import Publisher
from producers.schema_routes import SchemaRoutes
from producers.spool.failover import Failover
from producers.spool.leftovers import warn_of_leftovers
from producers.web import Web
from schemas.by_settings import writing_frame

if TYPE_CHECKING:
    from producers.tracing import Tracing

log = structlog.get_logger()

_TURN_S: Final = 1.0
_LAST_WORDS_S: Final = 1.0
"""Kept of the time for the end, to spool what Kafka has not acknowledged by then, or answer 503."""


class ProducerFailed(RelayError):
    """librdkafka's producer can never work again.

    The process ends rather than building another one inside: a supervisor's restart is the same cure, is
    seen, and leaves nothing behind. Nothing that was acknowledged is at stake.
    """


def run(settings: Settings) -> ExitCode:
    """Take deliveries until SIGTERM or SIGINT.

    Raises:
        SettingsError: An address can't be listened on, or a registry lacks the schema.
        RegistryUnavailable: A registry is set and does not answer: which id to write is not known.
        StoppedForSafety: A registry does not admit the schema.
        ProducerFailed: Kafka's producer has failed for good.
    """
    frame = writing_frame(settings.schema_registry, settings.kafka.events_topic)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, SystemClock(), frame))


async def _serve(settings: Settings, clock: Clock, frame: bytes) -> ExitCode:
    ending = _ending_on_signals()
    health = Health(clock)
    with ExitStack() as stack:
        tracing = _tracing(settings, stack)
        spool = health.dependency("spool", needed=False) if settings.relay.spool else None
        publisher = Publisher(
            settings.kafka,
            deadline_s=settings.relay.spool_after_s if spool else settings.relay.deadline_s,
            dependency=health.dependency("kafka", needed=True, substitute=spool),
            clock=clock,
            on_fatal=lambda reason: _end(ending, reason),
            patient=spool is not None,
        )
        stack.callback(publisher.close, 0)
        safety: Publisher | Failover = publisher
        if spool is not None:
            safety = Failover.opened(settings, publisher, spool, clock)
            stack.callback(safety.close, 0)
        else:
            warn_of_leftovers(settings.relay.spool_dir.absolute())
        limits = Limits(settings, clock)
        parking = ParkingPlace(
            partial(publisher.has, settings.kafka.dead_letters_topic),
            health.dependency("dead_letters", needed=False),
        )
        pipeline = Pipeline(
            safety if tracing is None else tracing.publisher(safety),
            clock,
            settings.kafka.events_topic,
            settings.kafka.dead_letters_topic,
            max_body_bytes=settings.relay.max_body_bytes,
            parking=parking,
            frame=frame,
        )
        web = _web(settings, pipeline, health, clock, limits)
        listener = Listener(web if tracing is None else tracing.web(web), settings.http)
        if settings.metrics.enabled:
            stack.callback(_sidecar(settings, health, clock, safety.sample).stop)
        port = await listener.start()
        stack.callback(asyncio.create_task(parking.watch()).cancel)
        if (sharing := limits.sharing(settings, health)) is not None:
            stack.callback(asyncio.create_task(sharing.run()).cancel)
        if settings.http.tls_cert is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, listener.renew)
        calm_collector()
        log.info("relay_started", host=settings.http.host, port=port, sources=sorted(settings.sources))
        while not ending.done():
            health.beat()
            web.turn()
            limits.turn()
            await asyncio.wait({ending}, timeout=_TURN_S)
        health.stopping()
        if ending.result() is not None:
            safety.give_up()  # nothing that waits can be acknowledged any more
        await _drain(web, listener, safety, settings.relay.shutdown_s)
    if (reason := ending.result()) is not None:
        raise ProducerFailed(f"Kafka's producer failed for good: {reason}")
    log.info("relay_stopped")
    return ExitCode.DONE


def _tracing(settings: Settings, stack: ExitStack) -> "Tracing | None":
    """What stands around the others to tell of spans; None where they are off, and then nothing does."""
    if (spans := spans_of(settings.app, "relay")) is None:
        return None
    from producers.tracing import Tracing  # noqa: PLC0415 - its library is an extra

    stack.callback(spans.close, _LAST_WORDS_S)
    return Tracing(spans)


def _end(ending: "asyncio.Future[str | None]", reason: str | None) -> None:
    if not ending.done():
        ending.set_result(reason)


def _ending_on_signals() -> "asyncio.Future[str | None]":
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[str | None] = loop.create_future()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, _end, ending, None)
    # it asks to read files again, which by default would end the process; with TLS the listener takes it over
    loop.add_signal_handler(signal.SIGHUP, log.info, "certificate_absent")
    return ending


def _web(settings: Settings, pipeline: Pipeline, health: Health, clock: Clock, limits: Limits) -> Web:
    keep_raw, max_items = settings.relay.keep_raw, settings.relay.max_batch_items
    web = Web(
        {
            name: Intake.of(
                name,
                source,
                keep_raw=keep_raw,
                clock=clock,
                max_items=max_items,
                limit=limits.by_source.get(name),
            )
            for name, source in settings.sources.items()
        },
        pipeline,
        health,
        max_body_bytes=settings.relay.max_body_bytes,
        timeout_s=settings.http.request_timeout_s,
        limit=limits.by_address,
        log_successes=settings.app.log_level == "DEBUG",
    )
    if settings.schema_registry.url is None:
        web.schemas = SchemaRoutes(settings.kafka.events_topic)
    return web


def _sidecar(settings: Settings, health: Health, clock: Clock, sample: Callable[[], None]) -> Sidecar:
    sidecar = Sidecar(
        role="relay",
        host=settings.metrics.host,
        port=settings.metrics.relay_port,
        interval_s=settings.metrics.interval_s,
        health=health,
        clock=clock,
        samplers=[sample],
    )
    sidecar.start()
    return sidecar


async def _drain(web: Web, listener: Listener, safety: Publisher | Failover, shutdown_s: float) -> None:
    """Take nothing more, answer what is under way, and end within the time for it."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + shutdown_s
    log.info("relay_stopping")
    closing = asyncio.create_task(listener.close(shutdown_s))
    if not await web.stop(max(0.0, shutdown_s - _LAST_WORDS_S)):
        safety.give_up()
        await web.stop(_LAST_WORDS_S / 2)
    web.turn()
    await asyncio.wait({closing}, timeout=max(0.0, end_s - loop.time()))
    if left := safety.close(end_s - loop.time()):
        log.warning("records_left_behind", records=left)
