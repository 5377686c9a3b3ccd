"""A user's list of sessions, page by page: each session once, whatever happens to the list meanwhile."""

import pytest

from producers.backfill.errors import RequestFailed
from tests.fake_asleep import KEY, Answer, Asked, FakeAsleep
from tests.integration.test_backfill_answers import Asking, always

pytestmark = pytest.mark.integration


def test_every_session_of_several_pages_is_listed_once_in_order() -> None:
    fake = FakeAsleep(nights=250)
    with fake.serving():
        assert Asking(fake).list() == fake.session_ids(0)
    assert [one.query["offset"] for one in fake.asked] == ["0", "99", "198"]
    assert {(one.user, one.key) for one in fake.asked} == {(fake.user(0), KEY)}


def test_a_full_last_page_is_followed_by_one_with_its_last_session() -> None:
    fake = FakeAsleep(nights=100)
    with fake.serving():
        assert len(Asking(fake).list()) == 100
    assert len(fake.asked) == 2


@pytest.mark.parametrize("deleted", [{2: 1}, {2: 2}, {3: 50}, {2: 150}, {3: 98, 5: 3}, {2: 30, 3: 30, 4: 30}])
def test_sessions_that_are_deleted_between_two_pages_hide_no_other(deleted: dict[int, int]) -> None:
    """Method: so many of the oldest, before so many requests."""
    nights = [{"session_id": f"s-{n}"} for n in range(600)]

    def page(asked: Asked) -> Answer:
        del nights[: deleted.get(len(fake.asked), 0)]
        offset = int(asked.query["offset"])
        return Answer(body={"result": {"sleep_session_list": nights[offset : offset + 100]}})

    fake = FakeAsleep(special=page)
    with fake.serving():
        listed = Asking(fake).list()
    assert len(listed) == len(set(listed))
    assert set(listed) >= {night["session_id"] for night in nights}


def test_pages_that_repeat_themselves_end() -> None:
    page = [{"session_id": f"s-{n}", "state": "COMPLETE"} for n in range(100)]
    fake = FakeAsleep(special=always(Answer(body={"result": {"sleep_session_list": page}})))
    with fake.serving(), pytest.raises(RequestFailed, match="repeats itself"):
        Asking(fake).list()
    assert len(fake.asked) == 2


def test_pages_without_an_end_end() -> None:
    def page(asked: Asked) -> Answer:
        listed = [{"session_id": f"{asked.query['offset']}-{n}"} for n in range(100)]
        return Answer(body={"result": {"sleep_session_list": listed}})

    fake = FakeAsleep(special=page)
    with fake.serving(), pytest.raises(RequestFailed, match="does not end"):
        Asking(fake).list()
