"""A slice of `make chaos`: whatever fails together, the table is what one clean pass leaves."""

from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.chaos.__main__ import run, summary
from tests.chaos.round import Ground

pytestmark = [pytest.mark.integration, pytest.mark.faults]
SEED = 20_261_121
HANDS = (
    ("sinks_killed_after_commit", "relay_killed", "poison_among_good"),
    ("sink_frozen", "relay_to_kafka_silent", "repeats_and_reordering"),
    ("postgres_restored", "sink_to_kafka_cut", "relay_terminated"),
    ("broker_killed", "sink_to_postgres_silent", "group_offsets_tampered"),
    ("sink_frozen_in_copy", "connections_terminated", "relay_to_kafka_cut"),
)
"""One of each kind of harm; the other kinds and all other combinations are dealt by `make chaos`."""


@pytest.mark.timeout(900)
def test_a_slice_finds_nothing(
    services: EmbeddedServices, template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run(Ground(services, template, tmp_path), SEED, range(len(HANDS)), HANDS)
    told = summary(SEED, outcomes)
    wrong = {name: told[name] for name in ("lost", "duplicated", "regressed", "parked_wrongly", "findings")}
    assert set(wrong.values()) == {0}, capsys.readouterr().err
    assert sum(outcome.verdict.acknowledged for outcome in outcomes) > 500
    assert sum(outcome.happened.total() for outcome in outcomes) >= len(HANDS) * 2
