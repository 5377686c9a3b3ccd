"""The role: builds what the pipeline needs, starts it, ends it in order. It decides nothing."""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from threading import Event
from typing import Any, Final

import structlog
from psycopg_pool import ConnectionPool

from config.brokers import trouble
from config.clock import SystemClock
from config.collector import calm_collector
from config.errors import SettingsError, Unavailable
from config.health import Health
from config.kafka import LEFT_TO_THE_BROKER, LOGGER, MUTE, client_options, tell_error
from config.migrations.check import check_database
from config.sections import KafkaSettings
from config.settings import Settings
from config.sidecar import Sidecar
from config.tracing import spans_of
from consumers import statements
from consumers.ahead import Ahead
from consumers.apply import Apply, Applying
from consumers.breaker import Circuit
from consumers.consumer import Consumer
from consumers.dead_letters import MAX_MESSAGE_BYTES, DeadLetters
from consumers.ending import Ending
from consumers.fates import KafkaUnavailable
from consumers.isolate import Isolate
from consumers.lag import Lag
from consumers.offsets import Offsets
from consumers.pieces import Pace
from consumers.pipeline import Pipeline
from consumers.pool import database_url, pool_of, sample
from consumers.positions import Positions
from consumers.project import Keep, Project
from consumers.projection import Projection
from consumers.storm import Storm
from consumers.topics import Topics
from consumers.write import Write
from consumers.writer import TURN_S, Writer
from schemas.by_settings import foreign_schemas

log = structlog.get_logger()

_SILENT_S: Final = 5.0
"""A fetch is answered within half a second, a heartbeat at once."""
_PREFETCH_KIB: Final = 16 * 1024
"""Dead letters that wait in memory: they are few, and may be large."""
_CLOSE_S: Final = 1.0
_GROUP_S: Final = 2.0
_LEAVE_S: Final = 7.0
"""What of the time for stopping is kept for leaving the group and closing connections, all of it frozen."""
_END_S: Final = 2.0


def run(settings: Settings, *, accept_poison: int = 0, member: int | None = None) -> None:
    """Run the sink until SIGTERM or SIGINT; returns after leaving the group.

    Args:
        settings: All of them.
        accept_poison: So many poison records are parked before a storm of them is judged.
        member: Which of several sinks of one parent this is.

    Raises:
        SettingsError: The sidecar's port is taken, or database or brokers are not as this version needs them.
        StoppedForSafety: A person must look first.
    """
    settings = _named(settings, member)
    clock = SystemClock()
    health = Health(clock)
    ending = Ending(settings.sink.shutdown_s)
    ending.by_signals()
    _check_services(settings)
    with ExitStack() as stack:
        stack.callback(ending.done)
        pool = pool_of(settings.db)
        pool.open()
        stack.callback(pool.close, _CLOSE_S)
        topics = Topics(client_options(settings.kafka, **MUTE), settings.sink.group_id)
        stack.callback(topics.close)
        writer = _writer(settings, pool, topics, clock, accept_poison, stack)
        foreign = foreign_schemas(settings.schema_registry, stack)
        pipeline = Pipeline(writer, settings.sink, health, clock, foreign, _patience_s(settings))
        topic = settings.kafka.events_topic
        lag = Lag(topic, pipeline.committed, partial(_ends, topics, topic))
        projection = _projection(settings, pool, topics, clock, ending.stop)
        stack.callback(projection.join, _CLOSE_S)  # it leaves its group while this one is left
        consumer = Consumer(
            consumer_options(settings, settings.sink.group_id),
            topic,
            before_revoke=lambda going: pipeline.drain(consumer, going),
            after_loss=pipeline.forget,
            on_statistics=_on_statistics(health, lag),
        )
        stack.callback(consumer.close, _GROUP_S)
        stack.callback(ending.begin)  # should what follows not even start
        if settings.metrics.enabled:
            sidecar = _sidecar(settings, health, clock, [pipeline.sample, lag.sample, lambda: sample(pool)])
            sidecar.start()
            stack.callback(sidecar.stop)
        writer.start()
        projection.start()
        calm_collector()
        sys.setswitchinterval(TURN_S)
        log.info("sink_started", group=settings.sink.group_id, topic=settings.kafka.events_topic)
        try:
            pipeline.run(consumer, ending.stop)
            pipeline.finish(consumer, settings.sink.shutdown_s - _LEAVE_S)
        finally:
            ending.begin()
            health.stopping()
            writer.stop(_CLOSE_S)
            pipeline.give_up()
    projection.check()
    log.info("sink_stopped")


def _sidecar(
    settings: Settings, health: Health, clock: SystemClock, samplers: Sequence[Callable[[], None]]
) -> Sidecar:
    return Sidecar(
        role="sink",
        host=settings.metrics.host,
        port=settings.metrics.sink_port,
        interval_s=settings.metrics.interval_s,
        health=health,
        clock=clock,
        samplers=samplers,
    )


def _check_services(settings: Settings) -> None:
    """Refuse a database of another version, and brokers without the protocol; who is away is waited for."""
    try:
        check_database(database_url(settings.db))
    except Unavailable as error:
        log.warning("postgres_unreachable", problem=str(error))
    _check_protocol(settings.kafka)


def _check_protocol(kafka: KafkaSettings) -> None:
    """Refuse a protocol that the brokers do not serve: the sink would wait for its partitions for ever."""
    if kafka.group_protocol == "classic":  # every broker's
        return
    with suppress(KafkaUnavailable):  # away, or we may not ask: the loop waits, as for all else
        served = Topics(client_options(kafka, **MUTE)).group_protocols(_END_S)
        if served and kafka.group_protocol not in served:
            raise SettingsError(
                f"KAFKA__GROUP_PROTOCOL is {kafka.group_protocol}, "
                f"but the brokers serve {', '.join(sorted(served))} only."
            )


def _named(settings: Settings, member: int | None) -> Settings:
    """Settings by which Kafka's side can tell the members apart, unless the user has chosen a name."""
    left_out = sorted(LEFT_TO_THE_BROKER & settings.kafka.options.keys())
    if left_out and settings.kafka.group_protocol == "consumer":
        why = "the broker decides: KAFKA__GROUP_PROTOCOL=consumer"
        log.warning("options_left_out", names=left_out, because=why)
    name = "session-relay-sink" if member is None else f"session-relay-sink-{member}"
    kafka = settings.kafka.model_copy(update={"options": {"client.id": name, **settings.kafka.options}})
    return settings.model_copy(update={"kafka": kafka})


def consumer_options(settings: Settings, group: str, **own: Any) -> dict[str, Any]:
    """Settings of librdkafka for a member of a group."""
    options: dict[str, Any] = {
        "group.id": group,
        "group.protocol": settings.kafka.group_protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # the table decides, never a default
        "check.crcs": True,
        "isolation.level": "read_committed",
        "error_cb": tell_error,
        "logger": LOGGER,
        **own,
    }
    if settings.kafka.group_protocol == "classic":
        options["partition.assignment.strategy"] = "cooperative-sticky"
    return client_options(settings.kafka, **options)


def _on_statistics(health: Health, lag: Lag) -> Callable[[Mapping[str, Any]], None]:
    kafka = health.dependency("kafka", needed=True)

    def on_statistics(told: Mapping[str, Any]) -> None:
        if (problem := trouble(told, _SILENT_S)) is None:
            kafka.succeeded()
        else:
            kafka.failed(problem)
        lag.read(told)

    return on_statistics


def _ends(topics: Topics, topic: str, partitions: Collection[int]) -> Mapping[int, int]:
    """The log's end of each partition; nothing where Kafka does not tell in time."""
    try:
        marks = topics.watermarks(topic, partitions, _END_S)
        return {partition: at.end for partition, at in marks.items()}
    except KafkaUnavailable:
        return {}


def _writer(
    settings: Settings,
    pool: ConnectionPool,
    topics: Topics,
    clock: SystemClock,
    accept_poison: int,
    stack: ExitStack,
) -> Writer:
    topic, group = settings.kafka.events_topic, settings.sink.group_id
    timeouts = _timeouts(settings)
    producing = client_options(
        settings.kafka,
        **{"acks": "all", "enable.idempotence": True, "message.max.bytes": MAX_MESSAGE_BYTES, **MUTE},
    )
    ahead = Ahead(pool, timeouts)
    apply: Applying = Apply(
        write=Write(pool, Offsets(topic, group), timeouts, ahead),
        isolate=Isolate(pool, timeouts),
        dead_letters=DeadLetters(
            producing, topic=settings.kafka.dead_letters_topic, origin_topic=topic, clock=clock
        ),
        storm=Storm(settings.sink.storm_window, accept_poison),
        pace=Pace(settings.sink.batch_rows),
    )
    if (spans := spans_of(settings.app, "sink")) is not None:
        stack.callback(spans.close, _CLOSE_S)
        from consumers.tracing import TracedApply  # noqa: PLC0415 - its library is an extra

        apply = TracedApply(apply, spans, topic=topic, group=group)
    return Writer(
        apply=apply,
        positions=Positions(pool, topics, topic, group, timeouts),
        circuit=Circuit(failures=settings.breaker.failures, reset_s=settings.breaker.reset_s, clock=clock),
        clock=clock,
        ahead=ahead,
    )


def _projection(
    settings: Settings, pool: ConnectionPool, topics: Topics, clock: SystemClock, stop: Event
) -> Projection:
    topic, group = settings.kafka.dead_letters_topic, f"{settings.sink.group_id}.dead-letters"
    timeouts = _timeouts(settings)
    return Projection(
        consumer_options(settings, group, **{"queued.max.messages.kbytes": _PREFETCH_KIB}),
        topic,
        positions=Positions(pool, topics, topic, group, timeouts),
        project=Project(
            pool,
            Offsets(topic, group),
            timeouts,
            Keep(settings.sink.dead_letters_keep_days, settings.sink.replays_keep_days),
        ),
        count_every_s=settings.metrics.interval_s,
        clock=clock,
        stop=stop,
    )


def _patience_s(settings: Settings) -> float:
    """So long a connection and a lock may take together; what takes longer is told."""
    return settings.db.pool_timeout_s + settings.db.lock_timeout_s


def _timeouts(settings: Settings) -> dict[str, str]:
    return statements.timeouts(
        statement_timeout_s=settings.db.statement_timeout_s, lock_timeout_s=settings.db.lock_timeout_s
    )
