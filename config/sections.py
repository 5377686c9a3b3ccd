"""The branches of the settings tree: every setting's name, default, bounds and meaning.

A description is one sentence with its unit; `config check --markdown` prints them as the README's table.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.types import StringConstraints

from config.addresses import ConnectionString, RedisUrl, WebUrl, with_parts
from config.kafka_options import BootstrapServers, KafkaOptions
from config.rates import Networks, RateText

Port = Annotated[int, Field(ge=0, le=65_535)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
ByteCount = Annotated[int, Field(ge=1, le=2**63 - 1)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$")]
"""Kafka's legal characters and length (org.apache.kafka.common.internals.Topic), without a dot in front."""


class Section(BaseModel):
    """A branch: frozen, unknown keys refused, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
        defer_build=True,  # the tree builds all of its branches: each alone as well is a tenth of a start
    )


class AppSettings(Section):
    """What every process shares."""

    environment: Literal["development", "test", "production"] = Field(
        default="development",
        description="`development`, `test` or `production`, which refuses unsafe settings.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged; `DEBUG` also logs each success."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`json`, `console`, or `auto`: JSON unless standard error is a terminal."
    )

    sentry_dsn: SecretStr | None = Field(
        default=None, description="Where error lines are sent to Sentry as well; needs the extra `sentry`."
    )
    traces: bool = Field(
        default=False,
        description="Whether relay and sink send spans by OTLP, where `OTEL_*` say; needs the extra `otel`.",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class HttpSettings(Section):
    """The relay's public listener."""

    host: Name = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=8080, description="Port to listen on; 0 takes a free one and logs it.")
    max_connections: Count = Field(default=1000, description="Connections at once.")
    request_timeout_s: Positive = Field(default=30, description="Seconds for a whole request, in or out.")
    header_timeout_s: Positive = Field(
        default=10, description="Seconds that a client may take for its headers."
    )
    max_header_bytes: int = Field(
        default=65_536, ge=8_192, description="Bytes of all headers of one request."
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Networks whose `X-Forwarded-For` is believed, comma separated; needed behind a proxy.",
    )
    tls_cert: Path | None = Field(
        default=None, description="PEM file of the certificate and its chain; without it HTTP is plain."
    )
    tls_key: Path | None = Field(default=None, description="PEM file of its key. SIGHUP reads both again.")
    tls_key_password: SecretStr | None = Field(
        default=None, description="Password of the key, if it has one."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("HTTP__TLS_CERT and HTTP__TLS_KEY must be set together")
        return self


class KafkaSettings(Section):
    """The cluster and the names of our topics."""

    bootstrap_servers: BootstrapServers = Field(
        default="127.0.0.1:9092", description="Brokers to ask first: `host:port`, comma separated."
    )
    options: KafkaOptions = Field(
        default={}, repr=False, description="JSON map of librdkafka settings for every client (TLS, SASL, …)."
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        default="classic",
        description="`classic` (cooperative-sticky) or `consumer` (KIP-848, brokers from 4.0).",
    )
    events_topic: TopicName = Field(default="session.events", description="Topic of the events.")
    dead_letters_topic: TopicName = Field(
        default="session.events.dlq", description="Topic of parked records."
    )

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        if self.events_topic == self.dead_letters_topic:
            raise ValueError("KAFKA__EVENTS_TOPIC and KAFKA__DEAD_LETTERS_TOPIC must differ")
        return self


class DbSettings(Section):
    """Postgres: where it is, the pool, and how long anything may take."""

    host: Name | None = Field(default=None, description="Host; completes `DATABASE_URL` or stands for it.")
    port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(default=None, description="Port, likewise.")
    name: Name | None = Field(default=None, description="Name of the database, likewise.")
    user: Name | None = Field(default=None, description="User, likewise.")
    password: SecretStr | None = Field(default=None, description="Password, likewise.")
    url: ConnectionString | None = Field(
        default=None,
        description="PostgreSQL URL or libpq connection string; wins over `DB_*`. May name several hosts.",
    )
    pool_min: int = Field(default=2, ge=0, description="Connections that the pool keeps open.")
    pool_max: Count = Field(
        default=10,
        description="Connections that the pool opens at most. Below 3 no batch is staged ahead of its turn.",
    )
    pool_timeout_s: Positive = Field(default=10, description="Seconds to wait for a connection of the pool.")
    max_lifetime_s: Positive = Field(
        default=3600, description="Seconds after which a connection is replaced."
    )
    connect_timeout_s: Count = Field(default=5, description="Whole seconds to open a connection.")
    statement_timeout_s: Positive = Field(default=30, description="Seconds that one statement may take.")
    lock_timeout_s: Positive = Field(
        default=10, description="Seconds to wait for a lock; below the statement's."
    )

    @model_validator(mode="before")
    @classmethod
    def _url_from_parts(cls, given: object) -> object:
        return with_parts(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        problems = []
        if self.lock_timeout_s >= self.statement_timeout_s:
            problems.append("DB__LOCK_TIMEOUT_S must be below DB__STATEMENT_TIMEOUT_S")
        if self.pool_min > self.pool_max:
            problems.append("DB__POOL_MIN must not be above DB__POOL_MAX")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class RedisSettings(Section):
    """Shared limits and caches; never needed to keep an event."""

    url: RedisUrl = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), description="`redis://`, `rediss://` or `unix://` URL."
    )


class RelaySettings(Section):
    """How the relay takes deliveries."""

    max_body_bytes: int = Field(
        default=1_048_576,
        ge=1,
        le=3_145_728,
        description="Bytes of one delivery; more is 413. At most 3 MiB.",
    )
    max_batch_items: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1000, description="Items of one batch, or of a vendor's array, at most; more is 413."
    )
    keep_raw: bool = Field(default=True, description="Whether an event carries the bytes that it came in.")
    deadline_s: Positive = Field(
        default=10,
        description="Seconds for Kafka to acknowledge before the answer is 503, where the spool is off. After"
        " four of them without a sign of Kafka the relay takes a new connection.",
    )
    spool: bool = Field(
        default=True, description="Whether events go to a file on this disk while Kafka is away."
    )
    spool_dir: Path = Field(
        default=Path(".session-relay/spool"),
        description="Directory of the spool's files, on a disk that outlives the process.",
    )
    spool_after_s: Positive = Field(
        default=2, description="Seconds for Kafka to acknowledge before events are spooled."
    )
    spool_max_bytes: ByteCount = Field(
        default=1_073_741_824,
        description="Bytes of events that the spool holds at most; then the answer is 503.",
    )
    limit_per_address: RateText | None = Field(
        default=None, description="Requests of one address, such as `100/minute`; more is 429."
    )
    limit_per_source: RateText | None = Field(
        default=None,
        description="Proven requests of each source, likewise; an entry's own `limit` wins.",
    )
    limit_share_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        default=500,
        description="Milliseconds between exchanges of counts with other relays by Redis; 0: none.",
    )
    shutdown_s: Positive = Field(default=10, description="Seconds to finish what is under way after SIGTERM.")


class SinkSettings(Section):
    """How the sink batches."""

    group_id: Name = Field(
        default="session-sink", description="Kafka consumer group, and the key of its offsets."
    )
    batch_rows: Count = Field(default=20_000, description="Records of one batch at most.")
    batch_bytes: Count = Field(default=33_554_432, description="Bytes of one batch's values at most.")
    batch_ms: Count = Field(
        default=20,
        description="Milliseconds that a poll waits; what came is written at once if Postgres is idle.",
    )
    storm_window: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1000,
        description="Last records that are judged: the sink stops when over half of so many are poison.",
    )
    dead_letters_keep_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=90, description="Days after which a redriven or discarded dead letter is removed."
    )
    replays_keep_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=90, description="Days after which a replay that is done or cancelled leaves the list."
    )
    topic_check_s: Positive = Field(
        default=30,
        description="Seconds between looks whether the topic was recreated or the table restored.",
    )
    shutdown_s: Positive = Field(
        default=10, description="Seconds to end after SIGTERM, 7 of them kept for letting go."
    )


class BreakerSettings(Section):
    """The circuit breakers: around Postgres in a sink, around the vendor in a backfill."""

    failures: Count = Field(default=5, description="Failures in a row that open it.")
    reset_s: Positive = Field(default=60, description="Seconds until an open one lets a probe through.")


class BackfillSettings(Section):
    """How what webhooks missed is fetched from a vendor's API."""

    asleep_base_url: WebUrl = Field(
        default="https://api.asleep.ai", description="Where Asleep's API is; production takes `https` alone."
    )
    asleep_api_key: SecretStr | None = Field(
        default=None, description="Asleep's key: for its API, and alone it makes the source `asleep`."
    )
    rate_per_s: Annotated[float, Field(gt=0, le=1_000)] = Field(
        default=10, description="Requests a second at most, repeated ones included, evenly spread."
    )
    workers: Annotated[int, Field(ge=1, le=1_000)] = Field(default=10, description="Users worked on at once.")
    attempts: Count = Field(
        default=8,
        description="Tries of one request before its user counts as failed; an outage's don't count.",
    )
    wait_max_s: Positive = Field(
        default=60, description="Seconds between two tries at most, a `Retry-After` included."
    )
    patience_s: Positive = Field(
        default=600,
        description="Seconds that the vendor or Kafka may be away before it ends, to be gone on with later.",
    )


class MetricsSettings(Section):
    """Each process' sidecar: `/metrics`, `/livez`, `/readyz`."""

    enabled: bool = Field(default=True, description="Whether processes start their sidecar.")
    host: Name = Field(default="127.0.0.1", description="Address that sidecars listen on.")
    interval_s: Positive = Field(default=15, description="Seconds between samples of gauges.")
    relay_port: Port = Field(
        default=9101, description="The relay's sidecar; 0 takes a free port and logs it."
    )
    sink_port: Port = Field(default=9102, description="The sink's sidecar; 0 takes a free port and logs it.")
    backfill_port: Port = Field(
        default=9105, description="The backfill's sidecar; 0 takes a free port and logs it."
    )
