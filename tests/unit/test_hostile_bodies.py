"""What a body of hostile shape costs: memory and time grow with its length, never with its square."""

import time
import tracemalloc
from contextlib import suppress

import pytest

from producers import answers
from producers.delivery import MAX_PROBLEMS, InvalidDelivery, NotJson, TooLarge
from producers.redact import Redaction, Unreadable
from producers.sources.items import named_lists
from producers.sources.json_object import MAX_DEPTH, read_object

LENGTH = 1_048_576
NUL = rb'"\u0000"'
DEEP = b"," + b'{"name":' * (MAX_DEPTH - 2) + b"1" + b"}" * (MAX_DEPTH - 2)
LONG = b"n" * 300_000


def filled(head: bytes, unit: bytes, tail: bytes) -> bytes:
    return head + unit * ((LENGTH - len(head) - len(tail)) // len(unit)) + tail


HOSTILE = {
    "wide, one NUL": filled(b'{"x":[' + NUL, b',""', b"]}"),
    "wide, all NUL": filled(b'{"x":[' + NUL, b"," + NUL, b"]}"),
    "wide, empty lists": filled(b'{"x":[' + NUL, b",[]", b"]}"),
    "deep, many times": filled(b'{"x":[' + NUL, DEEP, b"]}"),
    "a long name above all": filled(b'{"' + LONG + b'":[' + NUL, b"," + NUL, b"]}"),
}


def refusal(body: bytes) -> InvalidDelivery:
    with pytest.raises(InvalidDelivery) as refused:
        read_object(body)
    return refused.value


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_takes_little_memory(body: bytes) -> None:
    tracemalloc.start()
    try:
        answer = answers.refused(refusal(body), "an-id")
        assert tracemalloc.get_traced_memory()[1] < 50 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert len(answer.body) < 100_000


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_takes_little_time(body: bytes) -> None:
    """Of the process, with an order of magnitude to spare: a slow shape would be beyond it."""
    began_s = time.process_time()
    refusal(body)
    assert time.process_time() - began_s < 5


ITEMS = {
    "wide": filled(b'{"x":[7', b",7", b"]}"),
    "wide, half a pair": filled(rb'{"x":["\ud800"', rb',"\ud800"', b"]}"),
    "many lists": filled(b'{"":[]', b',"x":[1]', b"}"),
    "deep": filled(b'{"x":' + b"[" * 60 + b"1", b",1", b"]" * 60 + b"}"),
    "deep, half a pair": filled(b'{"x":' + b"[" * 60 + rb'"\ud800"', b",1", b"]" * 60 + b"}"),
}


@pytest.mark.parametrize("body", ITEMS.values(), ids=ITEMS)
def test_taking_items_apart_costs_little(body: bytes) -> None:
    began_s = time.process_time()
    tracemalloc.start()
    try:
        with suppress(TooLarge):
            assert len(named_lists(body, 1_000)) <= 1_000
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024 * 1024
    finally:
        tracemalloc.stop()
    with suppress(Unreadable):
        Redaction(["x.y.z", "*.a", "u.?t"]).apply(body)
    assert time.process_time() - began_s < 15


def test_no_more_problems_are_looked_for_than_are_told() -> None:
    problems = refusal(b'{"x":[' + b",".join([NUL] * (MAX_PROBLEMS + 1)) + b"]}").problems
    assert len(problems) == MAX_PROBLEMS
    assert problems[0].path == "x[0]"
    assert "more" in problems[-1].problem
    exactly = refusal(b'{"x":[' + b",".join([NUL] * MAX_PROBLEMS) + b"]}").problems
    assert exactly[-1].path == f"x[{MAX_PROBLEMS - 1}]"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (rb'{"a":"\u0000"}', "a"),
        (rb'{"a":{"b":[1,["\u0000"]]}}', "a.b[1][0]"),
        (rb'{"a":{"b\u0000":1}}', "a.(a name)"),
        (rb'{"a\u0000":1}', "(a name)"),
    ],
)
def test_a_nul_is_told_by_its_path(body: bytes, path: str) -> None:
    assert [one.path for one in refusal(body).problems] == [path]


@pytest.mark.parametrize("inner", [b"1", b"", b"{}"], ids=["a number", "nothing", "an object"])
def test_depth_is_counted_in_objects_and_lists(inner: bytes) -> None:
    lists = MAX_DEPTH - 1 - inner.count(b"{")
    read_object(b'{"x":' + b"[" * lists + inner + b"]" * lists + b"}")
    with pytest.raises(NotJson):
        read_object(b'{"x":' + b"[" * (lists + 1) + inner + b"]" * (lists + 1) + b"}")
