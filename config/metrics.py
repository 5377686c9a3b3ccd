"""Every metric, declared once: its kind, name, help with where to look, and closed label values.

Label values never come from input: a label is one of a closed set, a configured source's name, or a
topic and partition of ours.
"""

from math import nan
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from config.histogram import BatchHistogram

REGISTRY: Final = CollectorRegistry()

OUTCOMES: Final = ("written", "duplicate", "stale", "passed", "parked", "erased")
"""What can become of a record; `consumers.outcome.Outcome` in the same order."""
_LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 3, 5, 10, 30)
"""1 and 3 are objectives: see config/prometheus/rules/objectives.yml, as for 60 among the ages."""
_AGE_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


APP_UPTIME = _gauge("app_uptime_seconds", "Seconds since this process started. Falling: it restarts.")
BUILD_INFO = _gauge("build_info", "Always 1; the labels say what runs.", "version", "role")
SAMPLES_AGE = _gauge("sidecar_samples_age_seconds", "Age of the sampled gauges. Rising: a sampler hangs.")

API_REQUESTS = _counter(
    "api_requests_total",
    "HTTP requests by route and status. Many 401: a vendor's secret was changed; 503: look at Kafka.",
    *("method", "endpoint", "status_code"),
)
API_REQUEST_DURATION: Final = BatchHistogram(
    "api_request_duration_seconds",
    "Time from a request's headers to its answer. Slow: look at kafka_producer_queue_messages.",
    ("method", "endpoint"),
    buckets=_LATENCY_S,
    registry=REGISTRY,
)
RELAY_EVENTS = _counter(
    "relay_events_total",
    "Events by what became of them: acknowledged, spooled, parked, invalid, unauthenticated, limited, "
    "unavailable.",
    *("source", "type", "outcome"),
)
RELAY_LIMITED = _counter(
    "relay_limited_total",
    "Requests refused with 429, by address or by source. Rising: look who sends, or raise the limit.",
    "by",
)
RELAY_LIMIT_FORGOTTEN = _counter(
    "relay_limit_forgotten_total",
    "Addresses whose count was dropped for want of room. Rising: a flood from very many addresses.",
)
REDIS_UP = _gauge(
    "redis_up", "1 while Redis answers. 0: it is away, or nothing here uses it; limits are each process' own."
)
SPOOL_EVENTS = _gauge(
    "relay_spool_events", "Events in the spool that Kafka has not yet. Not falling: look at Kafka."
)
SPOOL_BYTES = _gauge(
    "relay_spool_bytes", "Bytes of events in the spool, those set aside too. Near the bound: 503 soon."
)
SPOOL_ROOM = _gauge(
    "relay_spool_room_bytes",
    "Bytes of events that the spool can still take: by its bound, or by its disk where that is less. "
    "Falling: 503 soon. NaN: no spool here.",
)
SPOOL_ROOM.set(nan)  # as 0 it would be a full one
SPOOL_SET_ASIDE = _gauge(
    "relay_spool_set_aside_events",
    "Events in the spool that Kafka refused for good, or that are damaged. See session-relay spool drain.",
)
SPOOL_OLDEST = _gauge(
    "relay_spool_oldest_seconds", "Age of the oldest event in the spool that is to go to Kafka; 0: none."
)
BACKFILL_REQUESTS = _counter(
    "backfill_requests_total",
    "Requests to the vendor by how they ended: good, throttled (429), failed (5xx, no answer, a broken one),"
    " absent (no such user or session), refused (any other). Many throttled: lower BACKFILL__RATE_PER_S.",
    "outcome",
)
BACKFILL_REQUEST_SECONDS = Histogram(
    "backfill_request_seconds",
    "Time from a request to its whole answer. Slow: the vendor is.",
    buckets=_LATENCY_S,
    registry=REGISTRY,
)
BACKFILL_SESSIONS = _counter(
    "backfill_sessions_total",
    "Sessions by what became of them: published, unfinished, gone, unreadable.",
    "outcome",
)
BACKFILL_USERS = _counter(
    "backfill_users_total", "Users by how they ended: done, unfinished, unknown, failed.", "outcome"
)
BACKFILL_USERS_LEFT = _gauge(
    "backfill_users_left", "Users that are still to be done. Not falling: see breaker_state."
)
KAFKA_PRODUCER_UP = _gauge(
    "kafka_producer_up", "1 while at least one broker is connected. 0: look at the brokers and the network."
)
KAFKA_PRODUCER_QUEUE = _gauge(
    "kafka_producer_queue_messages", "Records waiting for Kafka's acknowledgement. Rising: Kafka is slow."
)
EVENT_AGE: Final = BatchHistogram(
    "event_age_seconds",
    "Seconds since the relay received it, when it is published, read, committed. Committed leaves out what "
    "is late because it goes its way again: redriven dead letters, and what is read again.",
    ("stage",),
    shown=[("published",), ("read",), ("committed",)],
    buckets=_AGE_S,
    registry=REGISTRY,
)

SINK_RECORDS = _counter("sink_records_total", "Records by outcome. Parked: see dead_letters_open.", "outcome")
SINK_BATCH = Histogram(
    "sink_batch_seconds",
    "Time per batch by stage: decode, park, copy, apply (with copy where that did not go ahead), commit, "
    "isolate. Slow apply: Postgres.",
    ("stage",),
    buckets=_LATENCY_S,
    registry=REGISTRY,
)
SINK_LAG = _gauge(
    "sink_lag_records",
    "Records in the log beyond what is committed in Postgres, for the partitions of this member.",
    *("topic", "partition"),
)
SINK_GAPS = _counter(
    "sink_gap_records_total",
    "Offsets that the log no longer had. Not 0: the sink was away beyond the retention.",
)
SINK_OLDEST_UNWRITTEN = _gauge(
    "sink_oldest_unwritten_seconds",
    "Age of the oldest record read and not written. Rising: see breaker_state, or a registry is away.",
)
SINK_FUTURE_EVENTS = _counter(
    "sink_future_events_total",
    "Events that claim to have occurred over 24 h after their arrival; ordered as if they told no time.",
)
SINK_STORM = _gauge(
    "sink_storm_ratio",
    "Poison among the last SINK__STORM_WINDOW records. Above 0.5 the sink stops: read the dead letters.",
)
DEAD_LETTERS_OPEN = _gauge(
    "dead_letters_open",
    "Dead letters that nobody has dealt with, the same from each sink: `session-relay dead-letters list`. "
    "NaN: not counted yet.",
)
DEAD_LETTERS_OPEN.set(nan)  # as 0 what there was before would be new
BREAKER_STATE = _gauge("breaker_state", "0 closed, 1 half-open, 2 open: this stage pauses.", "name")
BREAKER_TRANSITIONS = _counter("breaker_transitions_total", "Changes of a breaker's state.", "name", "to")
DB_POOL_SIZE = _gauge("db_pool_size", "Connections in the pool, those that are being made included.")
DB_POOL_AVAILABLE = _gauge("db_pool_available", "Connections that are idle in the pool.")
DB_POOL_IN_USE = _gauge("db_pool_in_use", "Connections that are lent out.")
DB_POOL_WAITING = _gauge(
    "db_pool_waiting", "Callers waiting for a connection. Not 0: Postgres is slow or away."
)
DB_QUERIES = _counter(
    "db_queries_total", "Transactions that were begun to apply a batch, failed and repeated ones included."
)
DB_CONNECTION_ERRORS = _counter(
    "db_connection_errors_total", "Attempts on Postgres that found it away, locked, full or read-only."
)
