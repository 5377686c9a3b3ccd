"""The short way for plain inferences reads what the long way reads, or leaves it to that way."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from producers.delivery import Context, InvalidDelivery
from producers.sources.asleep import NORMALISER, _by_facts, normalise
from producers.sources.asleep_inference import plain_inference
from producers.sources.json_object import read_object
from schemas.event import SessionEvent

TEXTS = st.sampled_from(["u-1", "s-1", "", "ü", "x" * 255, "x" * 256]) | st.text(max_size=5)
STAGES = st.lists(st.sampled_from([-1, 0, 1, 2, 3]), max_size=6)
VALUES = (
    TEXTS
    | STAGES
    | st.lists(st.sampled_from([0, -1, 4, 10, -10, 1.0, True, None, "1", [1]]), max_size=3)
    | st.sampled_from([None, True, 7, -1, 2**63 - 1, 2**63, -(2**63), 1.0, 1.5, {"id": "x"}])
)
KEYS = st.sampled_from(["event", "data", "version", "stage_list", "callback_event", "user_id", "more"])
NUMBERS = st.integers(0, 9) | st.sampled_from([-1, 2**63 - 1, 2**63])
PLAIN = st.fixed_dictionaries(
    {"user_id": TEXTS, "session_id": TEXTS, "inference_seq_num": NUMBERS, "sleep_stages": STAGES},
    optional={"seq_num": st.integers(), "snoring_stages": STAGES, "breath_stages": st.none()},
)


def read(body: bytes, context: Context) -> SessionEvent | list[Any]:
    try:
        return normalise(body, context)[0]
    except InvalidDelivery as invalid:
        return invalid.problems


def read_by_facts(body: bytes, context: Context) -> SessionEvent | list[Any]:
    try:
        return _by_facts(json.loads(body), body, context)
    except InvalidDelivery as invalid:
        return invalid.problems


@settings(max_examples=500)
@given(
    data=PLAIN,
    odd=st.just({})
    | st.dictionaries(
        KEYS | st.sampled_from(["session_id", "sleep_stages", "inference_seq_num"]), VALUES, max_size=2
    ),
    top=st.just({}) | st.dictionaries(KEYS, VALUES, max_size=1),
    claims=st.sampled_from([(), ("u-1",), ("u-1", "u-2"), (None,)]),
    keep_raw=st.booleans(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (",\n", ":")]),
)
def test_both_ways_read_the_same(
    data: dict[str, Any],
    odd: dict[str, Any],
    top: dict[str, Any],
    claims: tuple[str | None, ...],
    keep_raw: bool,
    separators: tuple[str, str],
) -> None:
    told = {"event": "INFERENCE_COMPLETE", "version": "V3", "data": data | odd} | top
    body = (
        json.dumps(told, ensure_ascii=False, separators=separators)
        .encode("utf-8", "replace")
        .replace(rb"\u0000", b"?")
    )
    context = Context("asleep", "default", 1_790_000_000_000_000, keep_raw, claims)
    short = plain_inference(body, context, NORMALISER)
    event("short" if short is not None else "long")
    assert read(body, context) == read_by_facts(body, context)


def test_a_plain_inference_goes_the_short_way() -> None:
    body = b'{"event":"INFERENCE_COMPLETE","version":"V3","data":{"user_id":"u","session_id":"s",'
    body += b'"inference_seq_num":3,"sleep_stages":[0,-1,3],"snoring_stages":[0,0,1],"breath_stages":null}}'
    short = plain_inference(body, Context("asleep", "default", 1), NORMALISER)
    assert short is not None
    assert (short.sequence, short.sleep_stages) == (3, bytes([0, 255, 3]))
    assert short.attributes == {"version": "V3", "snoring_stages": "[0,0,1]"}


@pytest.mark.parametrize(
    "stages",
    ["[1,]", "[,1]", "[-]", "[1-1]", "[-1-1]", "[1 1]", "[- 1]", "[01]", "[1,2", "[1]]", "[+1]", '["1"]'],
)
@pytest.mark.parametrize("name", ["sleep_stages", "snoring_stages"])
def test_what_only_looks_like_a_list_of_digits_is_refused(stages: str, name: str) -> None:
    lists = {"sleep_stages": "[1]", name: stages}
    told = ",".join(f'"{key}":{value}' for key, value in lists.items())
    data = f'{{"user_id":"u","session_id":"s","inference_seq_num":3,{told}}}'
    body = f'{{"event":"INFERENCE_COMPLETE","data":{data}}}'
    assert plain_inference(body.encode(), Context("asleep", "default", 1), NORMALISER) is None


@pytest.mark.parametrize("seq_num", ["-0", "1.0", "1e0", "9223372036854775808", "true", '"1"'])
def test_a_number_that_is_written_unusually_goes_the_long_way(seq_num: str) -> None:
    body = (
        '{"event":"INFERENCE_COMPLETE","data":{"user_id":"u","session_id":"s","inference_seq_num":3,'
        f'"sleep_stages":[1],"seq_num":{seq_num}}}}}'
    ).encode()
    context = Context("asleep", "default", 1)
    assert normalise(body, context)[0] == _by_facts(read_object(body), body, context)
