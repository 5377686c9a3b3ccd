"""Our verdicts on pairs of schemas against Apache Avro's own `SchemaCompatibility`: `make test-java`."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from schemas.compatibility import Difference, differences
from schemas.validity import parse
from tests.examples.generated_pairs import Pair, pairs
from tests.examples.test_tools import needed

PROJECT = Path(__file__).with_name("compatibility") / "pom.xml"
SEED = int(os.environ.get("JAVA_SEED", "1"))
COUNT = int(os.environ.get("JAVA_PAIRS", "500"))
STRICTER = {
    "names that differ in the namespace": re.compile(r"are two names$"),
    "logical types": re.compile(r"would be read as [a-z]"),
    "a decimal's scale or precision": re.compile(r"^a decimal's \w+ of \d+ would be read as \d+$"),
}
"""What Java passes and we refuse, by how we say it: docs/decisions/0021-a-contract-that-lasts.md."""


@pytest.fixture(scope="module")
def judged() -> list[tuple[Pair, list[Difference], bool]]:
    """Pairs with our differences, and whether Java calls them compatible."""
    needed("mvn", "java")
    drawn = list(pairs(SEED, COUNT))
    run = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(PROJECT), "compile", "exec:java"],
        input="".join(f"{pair.reader}\n{pair.writer}\n" for pair in drawn),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2_000:]
    told = re.findall(r"verdict (\w+)", run.stdout)
    assert len(told) == len(drawn)
    assert set(told) == {"COMPATIBLE", "INCOMPATIBLE"}, "a schema that Java can't read"
    ours = (differences(parse(pair.reader), parse(pair.writer)) for pair in drawn)
    return list(zip(drawn, ours, (verdict == "COMPATIBLE" for verdict in told), strict=True))


def reason_of(difference: Difference) -> str | None:
    """Why Java says nothing of it; None where it should have."""
    return next((name for name, words in STRICTER.items() if words.search(difference.problem)), None)


def test_the_pairs_try_both_verdicts(judged: list[tuple[Pair, list[Difference], bool]]) -> None:
    for mutated in (True, False):
        verdicts = Counter(java for pair, _, java in judged if pair.mutated is mutated)
        assert min(verdicts[True], verdicts[False]) >= COUNT // 20, verdicts


def test_what_java_refuses_we_refuse(judged: list[tuple[Pair, list[Difference], bool]]) -> None:
    assert [pair for pair, ours, java in judged if not java and not ours] == []


def test_what_java_passes_we_pass_or_say_which_meaning_is_lost(
    judged: list[tuple[Pair, list[Difference], bool]],
) -> None:
    stricter = [(pair, ours) for pair, ours, java in judged if java and ours]
    assert [(pair, told) for pair, told in stricter if not all(map(reason_of, told))] == []
    assert {reason_of(difference) for _, told in stricter for difference in told} == STRICTER.keys()
