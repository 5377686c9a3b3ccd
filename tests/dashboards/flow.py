"""*Flow*: whether events get through, then each stage on their way."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tests.dashboards.panels import OF, PER, Section, board, course, figure, quantile

AT_A_GLANCE = Section(
    "At a glance",
    (
        figure(
            "Oldest unwritten",
            "Age of the oldest event that a sink has read and not written. Rising: look at Postgres.",
            (f"max(sink_oldest_unwritten_seconds{{{OF}}})", "age"),
            unit="s",
            warn=10,
            alarm=60,
        ),
        figure(
            "End to end, p95",
            "From the relay's receipt to the commit in Postgres. The objective is 99 % within 60 s.",
            (
                quantile(0.95, "event_age_seconds", f'{OF},stage="committed"'),
                "p95",
            ),
            unit="s",
            warn=10,
            alarm=60,
        ),
        figure(
            "Acknowledged and stored",
            "Events a second: acknowledged to vendors, and counted by sinks.",
            (
                f'sum(rate(relay_events_total{{{OF},outcome=~"acknowledged|spooled"}}{PER}))',
                "acknowledged",
            ),
            (f"sum(rate(sink_records_total{{{OF}}}{PER}))", "stored"),
            unit="cps",
            columns=6,
        ),
        figure(
            "Breaker",
            "0 closed, 1 half-open, 2 open: then that stage pauses and tries again by a timer.",
            (f"max(breaker_state{{{OF}}})", "state"),
            unit="none",
            warn=1,
            alarm=2,
            columns=3,
        ),
        figure(
            "Dead letters open",
            "What could not be stored and nobody has dealt with: session-relay dead-letters list.",
            (f"max(dead_letters_open{{{OF}}})", "open"),
            unit="none",
            warn=1,
            alarm=100,
            columns=3,
        ),
        figure(
            "Deliveries within the objective",
            "Of genuine deliveries, those answered 2xx in time, over 5 minutes. The objective is 99.9 %.",
            ("1 - session_relay:deliveries_bad:rate5m / session_relay:deliveries:rate5m", "good"),
            unit="percentunit",
            alarm=0.999,
            below=True,
        ),
    ),
)
RELAY = Section(
    "Relay",
    (
        course(
            "Answers",
            "By status. Many 401: a vendor's secret was changed. 503: look at Kafka and the spool.",
            (
                f'sum by (status_code) (rate(api_requests_total{{{OF},method="POST"}}{PER}))',
                "{{status_code}}",
            ),
            unit="reqps",
        ),
        course(
            "Time to answer",
            "From headers to answer. The objective is 1 s, or 3 s while the spool takes over.",
            *(
                (
                    quantile(share, "api_request_duration_seconds", f'{OF},method="POST"'),
                    name,
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            unit="s",
            warn=1,
            alarm=3,
        ),
        course(
            "Events by outcome",
            "What became of events at the relay. Invalid and parked: a vendor sends something new.",
            (f"sum by (outcome) (rate(relay_events_total{{{OF}}}{PER}))", "{{outcome}}"),
            unit="cps",
        ),
        course(
            "Spool",
            "Events on the relay's disk that Kafka has not yet, and those that it refused for good.",
            (f"sum(relay_spool_events{{{OF}}})", "to go to Kafka"),
            (f"sum(relay_spool_set_aside_events{{{OF}}})", "set aside"),
            unit="none",
            warn=1,
        ),
        course(
            "Spool's age and room",
            "Age of the oldest spooled event. More than minutes: Kafka is away.",
            (f"max(relay_spool_oldest_seconds{{{OF}}})", "age of the oldest"),
            unit="s",
            warn=60,
            alarm=300,
            columns=4,
        ),
        course(
            "Room in the spool",
            "Bytes that it holds, and that it can still take. Without room deliveries are answered 503.",
            (f"sum(relay_spool_bytes{{{OF}}})", "held"),
            ('sum(relay_spool_room_bytes{job="relay",instance=~"$instance"} >= 0)', "room"),
            unit="bytes",
            columns=4,
        ),
        course(
            "Refused by a limit",
            "429 by address and by source, and addresses forgotten for want of room.",
            (f"sum by (by) (rate(relay_limited_total{{{OF}}}{PER}))", "by {{by}}"),
            (f"sum(rate(relay_limit_forgotten_total{{{OF}}}{PER}))", "forgotten"),
            unit="cps",
        ),
    ),
)
KAFKA = Section(
    "Kafka",
    (
        course(
            "Producers connected",
            "1 while a relay reaches at least one broker.",
            (f'min by (instance) (kafka_producer_up{{{OF},job="relay"}})', "{{instance}}"),
            unit="none",
        ),
        course(
            "Waiting for acknowledgement",
            "Records in librdkafka's queue. Rising: Kafka is slow.",
            (f"sum(kafka_producer_queue_messages{{{OF}}})", "records"),
            unit="none",
            warn=10_000,
            alarm=50_000,
        ),
        course(
            "Lag",
            "Records in Kafka beyond what Postgres has, by partition.",
            (f"sum by (topic, partition) (sink_lag_records{{{OF}}})", "{{topic}} {{partition}}"),
            unit="none",
            warn=10_000,
            alarm=100_000,
        ),
    ),
)
SINK = Section(
    "Sink",
    (
        course(
            "Records by outcome",
            "Written, duplicate, stale, passed, parked, erased: nothing else can become of a record.",
            (f"sum by (outcome) (rate(sink_records_total{{{OF}}}{PER}))", "{{outcome}}"),
            unit="cps",
        ),
        course(
            "Age by stage, p95",
            "Since the relay's receipt: when an event is published, read, committed.",
            (
                quantile(0.95, "event_age_seconds", OF, by="le, stage"),
                "{{stage}}",
            ),
            unit="s",
            warn=10,
            alarm=60,
        ),
        course(
            "Time of a batch by stage, p95",
            "Slow apply or commit: Postgres. Slow park: Kafka. Isolate: Postgres rejects a record.",
            (
                quantile(0.95, "sink_batch_seconds", OF, by="le, stage"),
                "{{stage}}",
            ),
            unit="s",
            warn=1,
            alarm=10,
        ),
    ),
)
POSTGRES = Section(
    "Postgres",
    (
        course(
            "Connections",
            "Of the pools: open, idle, lent out, and callers that wait for one.",
            *(
                (f"sum(db_pool_{what}{{{OF}}})", name)
                for what, name in (
                    ("size", "open"),
                    ("available", "idle"),
                    ("in_use", "lent out"),
                    ("waiting", "callers waiting"),
                )
            ),
            unit="none",
        ),
        course(
            "Transactions and trouble",
            "Transactions that apply a batch, and attempts that found Postgres away, locked or full.",
            (f"sum(rate(db_queries_total{{{OF}}}{PER}))", "transactions"),
            (f"sum(rate(db_connection_errors_total{{{OF}}}{PER}))", "trouble"),
            unit="cps",
        ),
        course(
            "Breakers",
            "0 closed, 1 half-open, 2 open; and how often they changed.",
            (f"max by (name) (breaker_state{{{OF}}})", "{{name}}"),
            (
                f"sum by (name, to) (increase(breaker_transitions_total{{{OF}}}{PER}))",
                "{{name}} to {{to}}",
            ),
            unit="none",
            warn=1,
            alarm=2,
        ),
    ),
)


def flow() -> Dashboard:
    """The whole way of an event on one page."""
    about = "Whether events get from vendors to Postgres, and where they wait."
    return board("session-relay-flow", "Flow", about, AT_A_GLANCE, RELAY, KAFKA, SINK, POSTGRES)
