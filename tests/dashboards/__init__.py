"""Grafana's dashboards as code: `python -m tests.dashboards` writes config/grafana/dashboards/*.json."""
