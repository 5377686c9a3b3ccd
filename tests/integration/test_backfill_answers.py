"""What a backfill makes of each answer that a vendor may give, over a real socket."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from config.clock import SystemClock
from config.health import Health
from config.sections import BackfillSettings
from producers.backfill.asleep import Days, session, sessions
from producers.backfill.circuit import Circuit
from producers.backfill.client import Client
from producers.backfill.errors import (
    Absent,
    Deferred,
    KeyRefused,
    RequestFailed,
    VendorAway,
    WrongAddress,
)
from producers.backfill.tally import Tally
from producers.backfill.wire import Wire
from producers.delivery import InvalidDelivery
from producers.redact import Redaction
from schemas.event import SessionEvent
from tests.deliveries import context
from tests.eventually import PATIENCE_S
from tests.fake_asleep import FIRST_NIGHT, KEY, Answer, Asked, FakeAsleep

pytestmark = pytest.mark.integration

DAYS = Days(first=FIRST_NIGHT.date(), last=FIRST_NIGHT.replace(year=2027).date())
MAX_BYTES = 100_000


class Asking:
    """A client of its own for each question, with little patience but for an answer that is on its way."""

    def __init__(self, fake: FakeAsleep, **settings: Any) -> None:
        quick = {"rate_per_s": 1_000, "attempts": 3, "wait_max_s": 0.02, "patience_s": 1.0}
        self.backfill = BackfillSettings(**{"asleep_base_url": fake.url, **quick, **settings})
        self.user, self.tally = fake.user(0), Tally()
        self.timeout_s, self.failures, self.reset_s = PATIENCE_S, 100, 0.05

    def list(self) -> list[str]:
        async def ask(client: Client) -> list[str]:
            return [one.session_id async for one in sessions(client, self.user, DAYS)]

        listed: list[str] = self.run(ask)
        return listed

    def session(self, session_id: str) -> SessionEvent | None:
        event: SessionEvent | None = self.run(
            lambda client: session(client, self.user, session_id, context, Redaction([]))
        )
        return event

    def run(self, ask: Callable[[Client], Any]) -> Any:
        async def run() -> Any:
            clock = SystemClock()
            circuit = Circuit(
                failures=self.failures, reset_s=self.reset_s, patience_s=self.backfill.patience_s, clock=clock
            )
            wire = Wire(KEY, connections=2, timeout_s=self.timeout_s, max_bytes=MAX_BYTES)
            dependency = Health(clock).dependency("asleep", needed=True)
            try:
                return await ask(Client(self.backfill, circuit, wire, dependency, clock, self.tally))
            finally:
                await wire.close()

        return asyncio.run(run())


def always(answer: Answer) -> Callable[[Asked], Answer | None]:
    return lambda _: answer


def first(*answers: Answer) -> Callable[[Asked], Answer | None]:
    """These answers one after the other, then good ones."""
    left = list(answers)
    return lambda _: left.pop(0) if left else None


def test_a_user_in_any_script_is_asked_for() -> None:
    fake = FakeAsleep(special=always(Answer(body={"result": {"sleep_session_list": []}})))
    with fake.serving():
        asking = Asking(fake)
        asking.user = "schläfer-수면"
        assert asking.list() == []
    assert fake.asked[0].user == "schläfer-수면"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, headers=(("retry-after", "0"),)),
        Answer(429, headers=(("retry-after", "99999999999"),)),
        Answer(429, headers=(("retry-after", "Sat, 03 Oct 2026 07:28:00 GMT"),)),
        Answer(429, headers=(("retry-after", "-1"),)),
        Answer(429),
        Answer(403, {"detail": "Rate limit exceeded"}),
        Answer(408),
        Answer(500),
        Answer(502, "<html>"),
        Answer(503, headers=(("retry-after", "0"),)),
        Answer(200, "<html>please wait"),
        Answer(200, '{"result"'),
        Answer(200, {"result": {"sleep_session_list": {}}}),
        Answer(200, {"result": {"sleep_session_list": [{"session_id": 7}]}}),
        Answer(200, {"result": {"sleep_session_list": [{"session_id": "a", "state": {}}]}}),
        Answer(200, {"result": {"sleep_session_list": []}}, headers=(("content-encoding", "gzip"),)),
        Answer(fault="refuse"),
        Answer(200, {"result": {"sleep_session_list": []}}, fault="cut"),
        Answer(200, {"result": {"sleep_session_list": []}}, fault="hang"),
        Answer(200, {"result": {"sleep_session_list": []}}, fault="trickle"),
    ],
)
def test_an_answer_that_may_be_better_next_time_is_asked_for_again(answer: Answer) -> None:
    fake = FakeAsleep(nights=3, special=first(answer))
    with fake.serving():
        asking = Asking(fake)
        if answer.fault in {"hang", "trickle"}:
            asking.timeout_s = 0.4
        assert asking.list() == fake.session_ids(0)
    assert (asking.tally.requests, asking.tally.repeats) == (2, 1)


@pytest.mark.parametrize("answer", [Answer(500), Answer(200, "<html>"), Answer(fault="refuse")])
def test_after_so_many_tries_it_is_left(answer: Answer) -> None:
    fake = FakeAsleep(special=always(answer))
    with fake.serving(), pytest.raises(RequestFailed):
        Asking(fake).list()
    assert len(fake.asked) == 3


def test_being_throttled_costs_time_but_no_tries() -> None:
    fake = FakeAsleep(nights=1, special=first(*[Answer(429)] * 10))
    with fake.serving():
        assert len(Asking(fake).list()) == 1


def test_being_throttled_for_ever_ends() -> None:
    fake = FakeAsleep(special=always(Answer(429)))
    with fake.serving(), pytest.raises(RequestFailed, match="too many requests"):
        Asking(fake, patience_s=0.1).list()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400),
        Answer(404),
        Answer(404, "<html>no such page"),
        Answer(404, {"detail": "Not Found"}),
        Answer(405),
        Answer(422),
        Answer(204),
        Answer(fault="endless"),
    ],
)
def test_an_answer_that_will_not_change_is_not_asked_for_again(answer: Answer) -> None:
    fake = FakeAsleep(special=always(answer))
    with fake.serving(), pytest.raises(RequestFailed):
        Asking(fake).list()
    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, {"detail": "user does not exist"}),
        Answer(401, {"detail": "x-user-id is invalid"}),
    ],
)
def test_a_user_that_the_vendor_does_not_know_is_absent(answer: Answer) -> None:
    fake = FakeAsleep(special=always(answer))
    with fake.serving(), pytest.raises(Absent):
        Asking(fake).list()


@pytest.mark.parametrize(
    "answer", [Answer(401), Answer(403), Answer(403, {"detail": "Plan expired of sleeper-0000"})]
)
def test_a_refused_key_ends_it_all_and_names_the_setting_alone(answer: Answer) -> None:
    fake = FakeAsleep(special=always(answer))
    with fake.serving(), pytest.raises(KeyRefused, match="ASLEEP_API_KEY") as refused:
        Asking(fake).list()
    assert "sleeper" not in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_with_the_key(status: int) -> None:
    with FakeAsleep().serving() as other:
        answer = Answer(status, headers=(("location", f"{other.url}/data/v1/sessions"),))
        fake = FakeAsleep(special=always(answer))
        with fake.serving(), pytest.raises(WrongAddress, match="ASLEEP_BASE_URL"):
            Asking(fake).list()
        assert other.asked == []


def test_a_hostile_session_id_stays_within_its_path() -> None:
    hostile = "../../ai/v1/users?x=1#y z/ü\r\nx-evil: 1"
    fake = FakeAsleep(special=always(Answer(404, {"detail": "Session not found"})))
    with fake.serving(), pytest.raises(Absent):
        Asking(fake).session(hostile)
    assert [one.path for one in fake.asked] == [
        "/data/v3/sessions/..%2F..%2Fai%2Fv1%2Fusers%3Fx%3D1%23y%20z%2F%C3%BC%0D%0Ax-evil%3A%201"
    ]


def test_another_session_than_asked_for_is_never_taken() -> None:
    fake = FakeAsleep(nights=2)
    fake.special = always(Answer(body={"result": fake.data(0, 1)}))
    with fake.serving(), pytest.raises(RequestFailed, match="another session"):
        Asking(fake).session(fake.session_ids(0)[0])


def test_a_session_with_wrong_facts_is_refused_at_once() -> None:
    fake = FakeAsleep()
    told = fake.data(0, 0)
    told["session"]["end_time"] = "yesterday"
    fake.special = always(Answer(body={"result": told}))
    with fake.serving(), pytest.raises(InvalidDelivery):
        Asking(fake).session(fake.session_ids(0)[0])
    assert len(fake.asked) == 1


def test_a_cookie_of_one_answer_goes_with_no_other() -> None:
    cookies: list[str | None] = []
    fake = FakeAsleep(nights=150, cookies=cookies)
    with fake.serving():
        Asking(fake).list()
    assert cookies == [None, None]


def test_an_outage_sends_the_one_who_probes_to_the_end_of_the_line() -> None:
    fake = FakeAsleep(special=always(Answer(503)))
    with fake.serving():
        asking = Asking(fake, attempts=100, patience_s=600)
        asking.failures, asking.reset_s = 2, 1.0  # two of these is all the patience that there is
        with pytest.raises(Deferred):
            asking.list()
    assert len(fake.asked) == 3


def test_a_vendor_that_never_answered_is_given_two_periods() -> None:
    fake = FakeAsleep(special=always(Answer(503)))

    async def until_it_ends(client: Client) -> None:
        while True:
            with suppress(Deferred):
                await client.get("/", "u", {}, lambda _: None)

    with fake.serving():
        asking = Asking(fake, attempts=100, patience_s=600)
        asking.failures = 1
        with pytest.raises(VendorAway, match="ASLEEP_BASE_URL"):
            asking.run(until_it_ends)
    assert len(fake.asked) == 2


def test_a_vendor_that_is_back_is_asked_by_all_again() -> None:
    fake = FakeAsleep(nights=3, special=first(*[Answer(503)] * 3))
    with fake.serving():
        asking = Asking(fake, attempts=100)
        asking.failures, asking.reset_s = 3, 0.4  # two of these is all the patience that there is
        assert len(asking.list()) == 3
    assert len(fake.asked) == 4
