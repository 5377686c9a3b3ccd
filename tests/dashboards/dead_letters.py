"""*Dead letters*: what could not be stored, and whether it becomes more.

What is to be done then is in docs/operations/vendor-sent-a-broken-field.md.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tests.dashboards.panels import OF, PER, Section, board, course, figure

REFUSED = 'outcome=~"invalid|unauthenticated"'
AT_A_GLANCE = Section(
    "At a glance",
    (
        figure(
            "Open",
            "Nobody has dealt with these yet: session-relay dead-letters list.",
            (f"max(dead_letters_open{{{OF}}})", "open"),
            unit="none",
            warn=1,
            alarm=100,
            columns=6,
        ),
        figure(
            "Poison among the last records",
            "Above a half the sink stops with exit code 3, before it parks them.",
            (f"max(sink_storm_ratio{{{OF}}})", "share"),
            unit="percentunit",
            warn=0.1,
            alarm=0.25,
            columns=6,
        ),
        figure(
            "Parked by sinks in an hour",
            "Records that were decoded in vain, or that Postgres rejected.",
            (f'sum(increase(sink_records_total{{{OF},outcome="parked"}}[1h]))', "parked"),
            unit="none",
            warn=1,
            columns=6,
        ),
        figure(
            "Gaps",
            "Records that Kafka had deleted before a sink read them, since its start.",
            (f"sum(sink_gap_records_total{{{OF}}})", "records"),
            unit="none",
            alarm=1,
            columns=6,
        ),
    ),
)
WHERE_THEY_COME_FROM = Section(
    "Where they come from",
    (
        course(
            "Parked",
            "By sinks: undecodable or rejected. By the relay: items of an array that are no event.",
            (f'sum(rate(sink_records_total{{{OF},outcome="parked"}}{PER}))', "sinks"),
            (
                f'sum by (source) (rate(relay_events_total{{{OF},outcome="parked"}}{PER}))',
                "relay, {{source}}",
            ),
            unit="cps",
            columns=12,
        ),
        course(
            "Refused at the door",
            "By source: not an event (422), or without proof (401). Not parked: the vendor was told.",
            (
                f"sum by (source, outcome) (rate(relay_events_total{{{OF},{REFUSED}}}{PER}))",
                "{{source}} {{outcome}}",
            ),
            unit="cps",
            columns=12,
        ),
        course(
            "Open over time",
            "The same from each sink, hence the greatest.",
            (f"max(dead_letters_open{{{OF}}})", "open"),
            unit="none",
            warn=1,
            columns=12,
        ),
        course(
            "Times from the future",
            "Events that claim to be over 24 h younger than their arrival; ordered as without a time.",
            (f"sum(rate(sink_future_events_total{{{OF}}}{PER}))", "events"),
            unit="cps",
            columns=12,
        ),
    ),
)


def dead_letters() -> Dashboard:
    """For whoever is told that dead letters grow."""
    about = "What could not be stored, and whether it becomes more."
    return board("session-relay-dead-letters", "Dead letters", about, AT_A_GLANCE, WHERE_THEY_COME_FROM)
