"""The checker and the specification agree, case by case; so do our own versions with what they promise."""

import io
import json
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from schemas.compatibility import Difference, Mode, check, differences, pairs
from schemas.history import PROMISED
from schemas.validity import InvalidSchema, parse
from schemas.versions import VERSIONS
from tests.contract.schema_flaws import INVALID, Invalid
from tests.contract.schema_pairs import Case, field, record
from tests.contract.schema_pairs_deep import COMPLEX, MEANINGS, UNIONS
from tests.contract.schema_pairs_flat import FIELDS, NAMES, PRIMITIVES

CASES = [*PRIMITIVES, *FIELDS, *NAMES, *COMPLEX, *UNIONS, *MEANINGS]


def judged(reader: Any, writer: Any) -> list[Difference]:
    return differences(parse(json.dumps(reader)), parse(json.dumps(writer)))


def test_there_are_enough_cases_of_both_kinds_each_with_its_reason() -> None:
    assert len(CASES) >= 60
    assert min(sum(case.reads for case in CASES), sum(not case.reads for case in CASES)) >= 30
    names = [case.name for case in CASES] + [case.name for case in INVALID]
    assert len(names) == len(set(names))
    assert all(case.reason for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_checker_says_what_the_specification_says(case: Case) -> None:
    told = judged(case.reader, case.writer)
    assert (told == []) is case.reads, (case.reason, told)
    assert all(difference.path.startswith("/") and difference.problem for difference in told)


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_what_is_no_schema_is_refused_with_its_place(case: Invalid) -> None:
    with pytest.raises(InvalidSchema) as invalid:
        parse(json.dumps(case.schema))
    assert [flaw.path for flaw in invalid.value.flaws] == [case.path], (case.reason, invalid.value.flaws)


def test_a_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidSchema, match="is not JSON"):
        parse("{")


UNHEARD = {"string reads bytes", "a decimal of another precision", "a decimal of another scale"}
"""Where fastavro can't be asked: bytes that are no UTF-8, and decimals, whose scales it does not compare."""
BY_THE_LETTER = [
    case
    for case in CASES
    if "stricter" not in case.reason and case.name not in UNHEARD | {"the same decimal"}
]


@pytest.mark.parametrize("case", BY_THE_LETTER, ids=lambda case: case.name)
def test_another_library_resolves_values_as_the_table_says(case: Case) -> None:
    """The table itself could be wrong, so fastavro tries it on some values of each writer."""
    writer: Any = fastavro.parse_schema(case.writer, {})
    reader: Any = fastavro.parse_schema(case.reader, {})
    refused = 0
    for value in generate_many(writer, 30):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, writer, value)
        body.seek(0)
        try:
            fastavro.schemaless_reader(body, writer, reader)
        except (fastavro.read.SchemaResolutionError, ValueError, TypeError):
            refused += 1
    assert (refused == 0) is case.reads, case.reason


LADDER = {
    1: record(field("int", "a")),
    2: record(field("int", "a"), field("int", "b", default=0)),
    3: record(field("int", "b", default=0)),
    4: record(field("int", "a", default=7), field("int", "b")),
}
"""4 reads 3 and 2, but not 1, which has no b; 3 is not read by 1, which asks for a."""


@pytest.mark.parametrize(
    ("mode", "wrong"),
    [
        ("BACKWARD", []),
        ("BACKWARD_TRANSITIVE", [(4, 1)]),
        ("FORWARD", [(2, 3)]),
        ("FORWARD_TRANSITIVE", [(2, 3), (1, 3)]),
        ("FULL", [(2, 3)]),
        ("FULL_TRANSITIVE", [(2, 3), (1, 3), (4, 1)]),
    ],
)
def test_a_mode_asks_for_its_own_pairs(mode: str, wrong: list[tuple[int, int]]) -> None:
    history = {number: json.dumps(schema) for number, schema in LADDER.items()}
    found = [(finding.reader, finding.writer) for finding in check(history, Mode(mode))]
    assert sorted(found) == sorted(wrong)


def test_the_transitive_modes_ask_for_every_pair() -> None:
    assert list(pairs([1, 2, 3], Mode.BACKWARD)) == [(2, 1), (3, 2)]
    assert list(pairs([1, 2, 3], Mode.BACKWARD_TRANSITIVE)) == [(2, 1), (3, 1), (3, 2)]
    assert list(pairs([1, 2, 3], Mode.FORWARD)) == [(1, 2), (2, 3)]
    assert set(pairs([1, 2, 3], Mode.FULL_TRANSITIVE)) == {(2, 1), (1, 2), (3, 1), (1, 3), (3, 2), (2, 3)}


def test_an_invalid_version_is_told_and_the_others_are_still_compared() -> None:
    history = {1: json.dumps(record(field("int"))), 2: "{", 3: json.dumps(record(field("string")))}
    found = check(history, Mode.BACKWARD)
    assert [(finding.reader, finding.writer) for finding in found] == [(2, 2), (3, 1)]


def test_our_versions_keep_what_they_promise_and_more() -> None:
    assert PROMISED is Mode.BACKWARD_TRANSITIVE
    texts = {number: version.text for number, version in VERSIONS.items()}
    assert check(texts, PROMISED) == []
    assert check(texts, Mode.FULL_TRANSITIVE) == []
