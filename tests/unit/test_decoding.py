"""Records into a batch by a registry's ids: the long way once, then the short one, and found again later."""

from uuid import UUID

import pytest
from confluent_kafka import Message

from config.errors import RegistryUnavailable
from consumers.batch import Batch
from consumers.decoding import Decoder
from consumers.positions import Position
from schemas.codec import encode, frame_of
from schemas.reader import Read
from schemas.versions import LATEST, VERSIONS
from tests.events import made

IDS = {41: LATEST.read, 42: VERSIONS[1].read}


class Registry:
    """Tells what it knows, and counts how often it was asked."""

    asked = 0

    def __call__(self, schema_id: int) -> Read:
        self.asked += 1
        if schema_id not in IDS:
            raise RegistryUnavailable("away")
        return IDS[schema_id]


def decoder(registry: Registry) -> Decoder:
    fresh = Decoder(registry)
    fresh.place({0: Position(topic_id=UUID(int=7), row=None, begin=0, first=0)})
    return fresh


def test_records_of_the_newest_schema_are_asked_for_once() -> None:
    registry = Registry()
    decode, batch = decoder(registry), Batch()
    values = [encode(made(session=f"s-{number}"), frame_of(41)) for number in range(20)]
    decode.add(batch, [(0, number, number, Message(value=value)) for number, value in enumerate(values)])
    assert registry.asked <= 2
    assert [read.event.session_id for read in batch.reads] == [f"s-{number}" for number in range(20)]
    assert batch.poison == []


def test_a_registry_that_is_away_ends_the_adding() -> None:
    with pytest.raises(RegistryUnavailable):
        decoder(Registry()).add(Batch(), [(0, 0, 0, Message(value=encode(made(), frame_of(99))))])
