"""The README's verification schemes: each has a line and an example, and examples are what senders need."""

import json
import re
from typing import Any

import pytest

from config.webhook_schemes import SCHEMES
from tests.docs.tables import README, marked
from tests.frozen_clock import FrozenClock
from tests.signed_requests import CASES, SCHEME

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    marked("scheme examples")
    .findall(README.read_text("utf-8"))[0]
    .removeprefix("```json")
    .removesuffix("```")
)


def test_every_scheme_has_a_line_and_an_example() -> None:
    lines = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", README.read_text("utf-8"), re.MULTILINE)
    assert [line for line in lines if line in SCHEMES] == list(SCHEMES)
    assert {example["scheme"] for example in EXAMPLES.values()} == set(SCHEMES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_can_be_used(name: str) -> None:
    example = dict(EXAMPLES[name])
    if example["scheme"] != "none":
        (secret,) = example["secrets"]
        assert "…" in secret  # nobody copies a secret from here
        case = next(case for case in CASES.values() if case.settings["scheme"] == example["scheme"])
        example["secrets"] = case.secrets
    assert SCHEME.validate_python(example).scheme == example["scheme"]


@pytest.mark.parametrize("name", ["oura", "whoop", "github", "stripe"])
def test_an_example_takes_what_its_vendor_sends(name: str) -> None:
    case, clock = CASES[name], FrozenClock()
    shown = {setting: value for setting, value in EXAMPLES[name].items() if setting != "secrets"}
    assert case.settings == shown
    assert case.signed(clock).passes(case.made(clock))
