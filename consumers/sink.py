"""The role: builds what the pipeline needs, starts it, ends it in order. It decides nothing."""

import json
import signal
import sys
from contextlib import ExitStack
from threading import Event
from typing import Any, Final

import structlog
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from psycopg import Connection
from psycopg.types.string import BytesBinaryDumper
from psycopg_pool import ConnectionPool

from config import metrics
from config.clock import SystemClock
from config.collector import calm_collector
from config.errors import SettingsError, Unavailable
from config.health import Dependency, Health
from config.kafka import client_options
from config.migrations.check import check_database
from config.settings import Settings
from config.sidecar import Sidecar
from consumers import statements
from consumers.apply import Apply
from consumers.breaker import Circuit
from consumers.consumer import Consumer
from consumers.dead_letters import MAX_MESSAGE_BYTES, DeadLetters
from consumers.isolate import Isolate
from consumers.lag import Lag
from consumers.offsets import Offsets
from consumers.pieces import Pace
from consumers.pipeline import Pipeline
from consumers.positions import Positions
from consumers.storm import Storm
from consumers.write import Write
from consumers.writer import Writer

log = structlog.get_logger()

_STATISTICS_MS: Final = 1_000
_LEAVE_S: Final = 4.0
"""What of the time for stopping is kept for leaving the group and closing connections."""
_CLOSE_S: Final = 1.0


def run(settings: Settings, *, accept_poison: int = 0) -> None:
    """Run the sink until SIGTERM or SIGINT; returns after leaving the group.

    Args:
        settings: All of them.
        accept_poison: So many poison records are parked before a storm of them is judged.

    Raises:
        SettingsError: The sidecar's port is taken, or the database is not the one this version needs.
        StoppedForSafety: A person must look first.
    """
    clock = SystemClock()
    health = Health(clock)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _check_database(settings)
    with ExitStack() as stack:
        pool = _pool(settings)
        pool.open()
        stack.callback(pool.close, _CLOSE_S)
        admin = AdminClient(client_options(settings.kafka))
        writer = _writer(settings, pool, admin, clock, accept_poison)
        pipeline = Pipeline(writer, settings.sink, health, clock)
        lag = Lag(settings.kafka.events_topic, pipeline.committed)
        options = consumer_options(settings, health.dependency("kafka", needed=True), lag)
        consumer = Consumer(
            options,
            settings.kafka.events_topic,
            before_revoke=lambda going: pipeline.drain(consumer, going),
            after_loss=pipeline.forget,
        )
        stack.callback(consumer.close, _LEAVE_S / 2)
        if settings.metrics.enabled:
            sidecar = Sidecar(
                role="sink",
                host=settings.metrics.host,
                port=settings.metrics.sink_port,
                interval_s=settings.metrics.interval_s,
                health=health,
                clock=clock,
                samplers=[pipeline.sample, lag.sample, lambda: _sample_pool(pool)],
            )
            sidecar.start()
            stack.callback(sidecar.stop)
        writer.start()
        calm_collector()
        # the writing thread waits for Postgres fifty times a batch, and each time so long for its turn
        sys.setswitchinterval(0.0005)
        log.info("sink_started", group=settings.sink.group_id, topic=settings.kafka.events_topic)
        try:
            pipeline.run(consumer, stop)
            pipeline.finish(consumer, settings.sink.shutdown_s - _LEAVE_S)
        finally:
            health.stopping()
            writer.stop(_CLOSE_S)
    log.info("sink_stopped")


def _check_database(settings: Settings) -> None:
    """Refuse a database of another version; one that is away now is waited for by the loop."""
    try:
        check_database(_database_url(settings))
    except Unavailable as error:
        log.warning("postgres_unreachable", problem=str(error))


def _database_url(settings: Settings) -> str:
    if settings.db.url is None:
        raise SettingsError("DATABASE_URL: required by the sink")
    return settings.db.url.get_secret_value()


def consumer_options(settings: Settings, kafka: Dependency, lag: Lag) -> dict[str, Any]:
    """Settings of librdkafka for the group member."""

    def on_statistics(text: str) -> None:
        told = json.loads(text)
        if any(broker["state"] == "UP" for broker in told["brokers"].values()):
            kafka.succeeded()
        else:
            kafka.failed("no broker is connected")
        lag.read(told)

    options: dict[str, Any] = {
        "group.id": settings.sink.group_id,
        "group.protocol": settings.kafka.group_protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # the table decides, never a default
        "check.crcs": True,
        "isolation.level": "read_committed",
        "statistics.interval.ms": _STATISTICS_MS,
        "stats_cb": on_statistics,
        "error_cb": lambda error: log.warning("kafka_client_error", problem=error.name()),
    }
    if settings.kafka.group_protocol == "classic":
        options["partition.assignment.strategy"] = "cooperative-sticky"
    return client_options(settings.kafka, **options)


def _writer(
    settings: Settings, pool: ConnectionPool, admin: AdminClient, clock: SystemClock, accept_poison: int
) -> Writer:
    topic, group = settings.kafka.events_topic, settings.sink.group_id
    timeouts = statements.timeouts(
        statement_timeout_s=settings.db.statement_timeout_s, lock_timeout_s=settings.db.lock_timeout_s
    )
    producer = Producer(
        client_options(
            settings.kafka,
            **{"acks": "all", "enable.idempotence": True, "message.max.bytes": MAX_MESSAGE_BYTES},
        )
    )
    return Writer(
        apply=Apply(
            write=Write(pool, Offsets(topic, group), timeouts),
            isolate=Isolate(pool, timeouts),
            dead_letters=DeadLetters(
                producer, topic=settings.kafka.dead_letters_topic, origin_topic=topic, clock=clock
            ),
            storm=Storm(settings.sink.storm_window, accept_poison),
            pace=Pace(settings.sink.batch_rows),
        ),
        positions=Positions(pool, admin, topic, group, timeouts),
        circuit=Circuit(failures=settings.breaker.failures, reset_s=settings.breaker.reset_s, clock=clock),
        clock=clock,
    )


def _pool(settings: Settings) -> ConnectionPool:
    db = settings.db
    return ConnectionPool(
        _database_url(settings),
        kwargs={
            "connect_timeout": db.connect_timeout_s,
            "application_name": "session-relay sink",
            # A server that vanishes is noticed in about 30 s; `set_session` says the same to the server.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        },
        min_size=db.pool_min,
        max_size=db.pool_max,
        timeout=db.pool_timeout_s,
        max_lifetime=db.max_lifetime_s,
        check=ConnectionPool.check_connection,
        configure=_prepare,
        open=False,
        name="sink",
    )


def _prepare(connection: Connection[Any]) -> None:
    # else COPY takes the DB-API's dumper for bytea, which is written in Python and costs as much as the rest
    connection.adapters.register_dumper(bytes, BytesBinaryDumper)
    connection.execute(statements.SET_SESSION)
    connection.execute(statements.CREATE_STAGE)
    connection.commit()


def _sample_pool(pool: ConnectionPool) -> None:
    told = pool.get_stats()
    size, available = told.get("pool_size", 0), told.get("pool_available", 0)
    metrics.DB_POOL_SIZE.set(size)
    metrics.DB_POOL_AVAILABLE.set(available)
    metrics.DB_POOL_IN_USE.set(size - available)
    metrics.DB_POOL_WAITING.set(told.get("requests_waiting", 0))
