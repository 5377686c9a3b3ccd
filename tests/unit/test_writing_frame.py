"""What stands before each record that is written, where there is a registry, and where there is none."""

import json
from collections.abc import Iterator

import pytest

from config.errors import ExitCode, RegistryUnavailable, SettingsError, StoppedForSafety
from config.registry_section import SchemaRegistrySettings
from schemas.codec import PREFIX, frame_of
from schemas.foreign import writing_frame
from schemas.versions import LATEST, PINNED_IDS, VERSIONS
from tests.fake_registry import FakeRegistry, said
from tests.unit.test_foreign import SUBJECT, TOPIC, changed, settings_of


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry.serving() as serving:
        yield serving


def test_without_a_registry_our_own_id_is_written() -> None:
    assert writing_frame(SchemaRegistrySettings(), TOPIC) == PREFIX == frame_of(LATEST.schema_id)


def test_the_id_of_a_schema_that_is_there_is_written_and_nothing_registered(fake: FakeRegistry) -> None:
    schema_id = fake.add(SUBJECT, LATEST.text)
    assert writing_frame(settings_of(fake), TOPIC) == frame_of(schema_id)
    assert fake.asked == [f"POST /subjects/{SUBJECT}"]


def test_a_schema_that_is_not_there_is_registered_only_if_told_and_after_a_question(
    fake: FakeRegistry,
) -> None:
    fake.add(SUBJECT, VERSIONS[1].text)
    with pytest.raises(SettingsError, match="SCHEMA_REGISTRY__REGISTER_SCHEMA"):
        writing_frame(settings_of(fake), TOPIC)
    assert len(fake.schemas) == 1
    fake.asked.clear()
    assert writing_frame(settings_of(fake, register_schema=True), TOPIC) == frame_of(4712)
    assert [line.split("?")[0] for line in fake.asked] == [
        f"POST /subjects/{SUBJECT}",
        f"POST /compatibility/subjects/{SUBJECT}/versions",
        f"POST /subjects/{SUBJECT}/versions",
    ]


def test_a_schema_that_the_registry_does_not_admit_is_not_registered(fake: FakeRegistry) -> None:
    fake.add("mine", changed({"name": "user_id", "type": "long"}))
    with pytest.raises(StoppedForSafety, match="does not admit version"):
        writing_frame(settings_of(fake, register_schema=True, subject="mine"), TOPIC)
    assert len(fake.schemas) == 1


def test_an_id_of_our_own_range_is_not_taken_from_a_registry(fake: FakeRegistry) -> None:
    fake.always = said(200, json.dumps({"id": PINNED_IDS[0]}).encode())
    with pytest.raises(StoppedForSafety, match="pinned"):
        writing_frame(settings_of(fake), TOPIC)


def test_a_registry_that_is_away_at_the_start_is_a_service_that_cannot_be_reached(fake: FakeRegistry) -> None:
    fake.always = said(502, b"")
    with pytest.raises(RegistryUnavailable) as away:
        writing_frame(settings_of(fake), TOPIC)
    assert away.value.exit_code is ExitCode.UNREACHABLE
