import json
from typing import Any

import pytest

from producers import answers, delivery
from producers.delivery import InvalidDelivery, Refusal
from producers.reading import Accepted, Rejected
from schemas.codec import Problem

EXPECTED: dict[type[Refusal], int] = {
    delivery.NotJson: 400,
    delivery.Unauthenticated: 401,
    delivery.Incomplete: 408,
    delivery.TooLarge: 413,
    delivery.UnsupportedMedia: 415,
    delivery.UnsupportedCoding: 415,
    delivery.NotDecodable: 400,
    delivery.InvalidDelivery: 422,
    delivery.RateLimited: 429,
    delivery.NotAcknowledged: 503,
}


def made(kind: type[Refusal]) -> Refusal:
    arguments: dict[type[Refusal], Any] = {
        InvalidDelivery: [Problem("a", "b")],
        delivery.NotAcknowledged: "deadline",
    }
    if kind is delivery.RateLimited:
        return delivery.RateLimited("address", '"address";q=5;w=60', 7)
    return kind(arguments[kind]) if kind in arguments else kind()


def test_the_table_knows_every_refusal() -> None:
    assert set(EXPECTED) == set(Refusal.__subclasses__())


@pytest.mark.parametrize(
    ("kind", "status"), EXPECTED.items(), ids=lambda value: getattr(value, "__name__", None)
)
def test_each_refusal_is_problem_details(kind: type[Refusal], status: int) -> None:
    answer = answers.refused(made(kind), "an-id")
    told = json.loads(answer.body)
    assert (answer.status, answer.media_type) == (status, "application/problem+json")
    assert {"type", "title", "status", "detail", "request_id"} <= told.keys()
    assert (told["status"], told["request_id"]) == (status, "an-id")
    assert (dict(answer.headers).get("retry-after") is not None) == (status in {429, 503})


def test_all_causes_of_401_have_one_body() -> None:
    assert answers.refused(delivery.Unauthenticated("key"), "i") == answers.refused(
        delivery.Unauthenticated("sign"), "i"
    )


def test_whoever_comes_too_often_is_told_when_to_come_back() -> None:
    """As draft-ietf-httpapi-ratelimit-headers-10 writes it."""
    answer = answers.refused(made(delivery.RateLimited), "i")
    assert dict(answer.headers) == {
        "retry-after": "7",
        "ratelimit-policy": '"address";q=5;w=60',
        "ratelimit": '"address";r=0;t=7',
    }


def test_problems_are_listed_but_not_without_end() -> None:
    few = answers.refused(InvalidDelivery([Problem("a.b", "is missing")]), "i")
    assert json.loads(few.body)["problems"] == [{"path": "a.b", "problem": "is missing"}]
    many = json.loads(answers.refused(InvalidDelivery([Problem("a", "b")] * 100_000), "i").body)
    assert len(many["problems"]) + many["problems_left_out"] == 100_000
    assert len(many["problems"]) == delivery.MAX_PROBLEMS


def test_a_path_of_the_senders_own_names_is_cut() -> None:
    """A name may be as long as the body, and an answer is not to be."""
    body = answers.refused(
        InvalidDelivery([Problem(f"attributes.{'k' * 1_000_000}", "must be a text")]), "i"
    ).body
    assert json.loads(body)["problems"][0]["path"].startswith("attributes.kkk")
    assert len(body) < 1_000


def test_what_is_rejected_is_listed_but_not_without_end() -> None:
    rejected = [Rejected(place, b"a-body", [Problem("a", "b")] * 50) for place in range(20)]
    answer = answers.accepted(Accepted(["one"], rejected))
    told = json.loads(answer.body)
    assert (told["status"], told["event_ids"]) == ("queued", ["one"])
    assert [one["index"] for one in told["rejected"]] == list(range(20))
    assert {(len(one["problems"]), one["problems_left_out"]) for one in told["rejected"]} == {(5, 45)}
    assert b"a-body" not in answer.body


def test_a_batch_is_answered_in_order_and_says_what_to_send_again() -> None:
    refusals = [InvalidDelivery([Problem("a", "b")] * 200) for _ in range(50)]
    answer = answers.batch([Accepted(["one"]), *refusals, delivery.NotAcknowledged("queue_full")])
    first, *middle, last = json.loads(answer.body)
    assert (answer.status, first) == (207, {"status": 200, "event_ids": ["one"]})
    assert {(one["status"], len(one["problems"])) for one in middle} == {(422, 1)}
    assert last == {"status": 503, "detail": "The delivery is not safe yet; send it again."}
    assert dict(answer.headers)["retry-after"]
    assert answers.batch([Accepted(["one"])]).headers == ()


def test_the_good_answer_lists_the_ids() -> None:
    answer = answers.accepted(Accepted(["one", "two"]))
    assert json.loads(answer.body) == {"status": "queued", "event_ids": ["one", "two"]}
    assert answer.status == 200


def test_what_was_spooled_is_202_with_bad_items_and_in_a_batch_too() -> None:
    rejected = [Rejected(1, b"a-body", [Problem("a", "b")])]
    listed = [{"index": 1, "problems": [{"path": "a", "problem": "b"}]}]
    alone = answers.accepted(Accepted(["one"], (), "spooled"))
    assert (alone.status, json.loads(alone.body)) == (202, {"status": "spooled", "event_ids": ["one"]})
    beside = answers.accepted(Accepted(["one"], rejected, "spooled"))
    assert (beside.status, json.loads(beside.body)) == (
        202,
        {"status": "spooled", "event_ids": ["one"], "rejected": listed},
    )
    batch = answers.batch([Accepted(["one"]), Accepted(["two"], rejected, "spooled")])
    assert (batch.status, json.loads(batch.body)) == (
        207,
        [
            {"status": 200, "event_ids": ["one"]},
            {"status": 202, "event_ids": ["two"], "rejected": listed},
        ],
    )
