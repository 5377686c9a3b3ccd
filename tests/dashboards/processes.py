"""*Processes*: what runs, for how long, and what it depends on."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tests.dashboards.panels import OF, PER, Section, board, course, figure, quantile

UP = Section(
    "Up",
    (
        figure(
            "Can be scraped",
            "1 for each process whose sidecar answers.",
            (f"up{{{OF}}}", "{{job}} {{instance}}"),
            unit="none",
            alarm=1,
            below=True,
            columns=12,
        ),
        figure(
            "Versions",
            "How many processes of each role run which version.",
            (f"count by (role, version) (build_info{{{OF}}})", "{{role}} {{version}}"),
            unit="none",
            columns=12,
        ),
        course(
            "Uptime",
            "Falling to 0: it restarts.",
            (f"app_uptime_seconds{{{OF}}}", "{{job}} {{instance}}"),
            unit="s",
        ),
        course(
            "Age of the sampled gauges",
            "Rising: a sampler hangs, and the gauges of that process are old.",
            (f"sidecar_samples_age_seconds{{{OF}}}", "{{job}} {{instance}}"),
            unit="s",
            warn=60,
            alarm=120,
        ),
        course(
            "Redis",
            "1 while it answers. 0: it is away, or nothing there uses it; limits are each process' own.",
            (f"redis_up{{{OF}}}", "{{job}} {{instance}}"),
            unit="none",
        ),
    ),
)
BACKFILL_WHILE_ONE_RUNS = Section(
    "Backfill, while one runs",
    (
        course(
            "Requests to the vendor",
            "By how they ended. Many throttled: lower BACKFILL__RATE_PER_S.",
            (f"sum by (outcome) (rate(backfill_requests_total{{{OF}}}{PER}))", "{{outcome}}"),
            unit="reqps",
            columns=6,
        ),
        course(
            "The vendor's answers, p95",
            "Slow: the vendor is.",
            (
                quantile(0.95, "backfill_request_seconds", OF),
                "p95",
            ),
            unit="s",
            warn=5,
            alarm=30,
            columns=6,
        ),
        course(
            "Sessions and users",
            "What became of them.",
            (f"sum by (outcome) (rate(backfill_sessions_total{{{OF}}}{PER}))", "sessions {{outcome}}"),
            (f"sum by (outcome) (rate(backfill_users_total{{{OF}}}{PER}))", "users {{outcome}}"),
            unit="cps",
            columns=6,
        ),
        course(
            "Users left",
            "Not falling: see the breaker.",
            (f"sum(backfill_users_left{{{OF}}})", "users"),
            unit="none",
            columns=6,
        ),
    ),
)


def processes() -> Dashboard:
    """For whoever is told that a process is gone, and for a roll-out."""
    about = "What runs, in which version, and what it depends on."
    return board("session-relay-processes", "Processes", about, UP, BACKFILL_WHILE_ONE_RUNS)
