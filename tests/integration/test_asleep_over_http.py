"""Whatever Asleep sends, as it sends it: each case through a real relay, into a real topic."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from schemas.event import EventType
from tests.deliveries import API_KEY, as_body, asleep_inference, asleep_session, signed
from tests.eventually import eventually
from tests.relay_process import RelayProcess, new_topic, records

pytestmark = pytest.mark.integration
USER = "sleeper-0007"
Told = dict[str, Any]


def session(spelling: str = "documented", **changes: Any) -> Told:
    """A night's delivery; the changes are to what stands in `session`."""
    told = asleep_session(spelling)
    inner = _inner(told)
    inner["user_id"] = USER
    inner["session"] |= changes
    return told


def inference(spelling: str, stages: list[int]) -> Told:
    told = asleep_inference(spelling, user=USER)
    _inner(told)["stage_list" if spelling == "callback" else "sleep_stages"] = stages
    return told


def _inner(told: Told) -> Told:
    inner: Told = told.get("data") or told.get("callback_data") or told
    return inner


def with_stat(told: Told, stat: object, *peculiarities: str) -> Told:
    told = copy.deepcopy(told)
    _inner(told).update(stat=stat, peculiarities=list(peculiarities), missing_data_ratio=0.0)
    return told


def only_inner_id() -> Told:
    told = session("flat", timezone="UTC")
    del told["session_id"]
    told["stat"] |= {"sleep_efficiency": 83.76, "sleep_time": "07:52:00", "sleep_cycle": [{"order": 1}]}
    return told


NOTHING_SLEPT = {"sleep_time": None, "wake_time": None, "sleep_latency": None, "sleep_efficiency": 0}
GAPS = [-1] * 30 + [0, 1, 2, 3] * 40 + [-1] * 12
ACCEPTED: Mapping[str, tuple[Told, EventType, int | None]] = {
    "session, documented": (session(), EventType.SESSION_COMPLETE, 9),
    "session, callback": (session("callback"), EventType.SESSION_COMPLETE, 9),
    "session, flat": (session("flat"), EventType.SESSION_COMPLETE, 9),
    "session, flat with session.id alone": (only_inner_id(), EventType.SESSION_COMPLETE, 9),
    "session, revised": (session(sleep_stages=[1] * 12), EventType.SESSION_COMPLETE, 12),
    "session, gaps": (session(sleep_stages=GAPS), EventType.SESSION_COMPLETE, 202),
    "session, never slept": (
        with_stat(session(sleep_stages=[0] * 240, breath_stages=None), NOTHING_SLEPT, "NEVER_SLEPT"),
        EventType.SESSION_COMPLETE,
        240,
    ),
    "session, too short": (
        with_stat(session(sleep_stages=[]), None, "TOO_SHORT_FOR_ANALYSIS"),
        EventType.SESSION_COMPLETE,
        0,
    ),
    "session, no stages at all": (session(sleep_stages=None), EventType.SESSION_COMPLETE, None),
    "inference, documented": (inference("documented", [0] * 10), EventType.INFERENCE_COMPLETE, 10),
    "inference, callback": (inference("callback", [1] * 10), EventType.INFERENCE_COMPLETE, 10),
    "inference, flat": (inference("flat", [2] * 5), EventType.INFERENCE_COMPLETE, 5),
    "inference, four frames": (inference("documented", [0, 1, 2, 3] * 10), EventType.INFERENCE_COMPLETE, 40),
    "an unknown event": (
        {"event": "NEVER_HEARD_OF", "version": "V9", "data": {"user_id": USER}},
        EventType.UNKNOWN,
        None,
    ),
}


@pytest.fixture(scope="module")
def topic_of_all(services: EmbeddedServices) -> str:
    return new_topic(services.addresses.kafka_bootstrap_servers)


@pytest.fixture(scope="module")
def relay(
    services: EmbeddedServices, topic_of_all: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path_factory.mktemp("relay"), kafka, topic_of_all) as running:
        eventually(running.is_ready)
        yield running


@pytest.mark.parametrize("case", ACCEPTED)
def test_every_case_is_acknowledged_and_in_the_topic(
    services: EmbeddedServices, relay: RelayProcess, topic_of_all: str, case: str
) -> None:
    told, kind, stages = ACCEPTED[case]
    body = as_body(told)
    answer = relay.post("/webhooks/asleep", body, signed(body, USER))
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    (event_id,) = answer.json()["event_ids"]
    values = (record.value() for record in records(services.addresses.kafka_bootstrap_servers, topic_of_all))
    events = {event.event_id: event for event in map(decode, values)}
    event = events[event_id]
    assert (event.type, event.user_id, event.source) == (kind, USER, "asleep")
    assert (None if event.sleep_stages is None else len(event.sleep_stages)) == stages


def post(relay: RelayProcess, told: Told) -> str:
    body = as_body(told)
    answer = relay.post("/webhooks/asleep", body, signed(body, USER))
    assert answer.status_code == 200
    return str(answer.json()["event_ids"][0])


def test_spellings_are_one_event_and_a_revision_is_another(relay: RelayProcess) -> None:
    spellings = {post(relay, session(spelling)) for spelling in ("documented", "callback", "flat")}
    assert len(spellings) == 1
    assert post(relay, session(sleep_stages=[1] * 12)) not in spellings


@pytest.mark.parametrize(
    ("proof", "status"),
    [
        ({}, 200),
        ({"x-user-id": "somebody-else"}, 422),
        ({"x-api-key": "not-the-key"}, 401),
        ({"x-signature": "0" * 64}, 401),
        ({"x-signature": None}, 401),
        ({"x-api-key": None}, 401),
    ],
)
def test_proofs_decide(relay: RelayProcess, proof: dict[str, str | None], status: int) -> None:
    """The source lists key and signature: a configured proof is required, not checked if present."""
    body = as_body(session())
    headers = signed(body, USER) | proof
    sent = {name: value for name, value in headers.items() if value is not None}
    assert API_KEY in sent.values() or status == 401
    assert relay.post("/webhooks/asleep", body, sent).status_code == status
