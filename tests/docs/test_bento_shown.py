"""The comparison with Bento that is shown is the one that was measured, of the version that is built."""

import json

from benchmarks.bento.program import VERSION
from benchmarks.bento.table import FILE, as_markdown
from tests.docs.tables import BENCHMARKS, marked


def test_the_table_is_what_was_measured() -> None:
    told = json.loads(FILE.read_text("utf-8"))
    (shown,) = marked("bento").findall(BENCHMARKS.read_text("utf-8"))
    assert shown == as_markdown(told)
    assert told["invalid"] == []


def test_the_version_that_is_named_is_the_one_that_is_built() -> None:
    assert f"github.com/warpstreamlabs/bento v{VERSION}\n" in (FILE.parent / "go.mod").read_text("ascii")
    assert f" {VERSION} " in BENCHMARKS.read_text("utf-8")
