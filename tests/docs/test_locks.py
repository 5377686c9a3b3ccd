"""The locked requirements: whole, with hashes, and without a word about where they came from."""

import re
import tomllib

import pytest

from tests.docs.source_tree import ROOT, texts

LOCKS = {
    "requirements.txt": ("embedded",),
    "requirements-image.txt": (),
    "requirements-dev.txt": ("embedded", "dev"),
}
PINNED = re.compile(
    r"^([a-z0-9-]+)==\S+((?: ; [^\\]+)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
NAME = re.compile(r"^[A-Za-z0-9._-]+")
OF_ONE_MACHINE = re.compile(r"/(?:work|root|home|Users)/")


def pinned(lock: str) -> set[str]:
    return {match[1] for match in PINNED.finditer((ROOT / lock).read_text("utf-8"))}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_nothing_but_pins_with_hashes(lock: str) -> None:
    """So no URL, no index, no path, no comment: pip alone installs it, from wherever it is told to."""
    assert PINNED.sub("", (ROOT / lock).read_text("utf-8")) == ""


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_whatever_the_project_asks_for(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = list(project["project"]["dependencies"]) + project["build-system"]["requires"]
    for extra in LOCKS[lock]:
        wanted += project["project"]["optional-dependencies"][extra]
    names = {match[0].lower().replace("_", "-") for line in wanted if (match := NAME.match(line))}
    assert names - pinned(lock) == set()


@pytest.mark.parametrize(
    ("fewer", "more"),
    [("requirements.txt", "requirements-dev.txt"), ("requirements-image.txt", "requirements.txt")],
)
def test_what_runs_is_the_same_wherever_it_runs(fewer: str, more: str) -> None:
    fewer_lines, more_lines = (set((ROOT / lock).read_text("utf-8").splitlines()) for lock in (fewer, more))
    assert fewer_lines - more_lines == set()


def test_the_image_has_no_service_in_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    embedded = {
        NAME.findall(line)[0].lower() for line in project["project"]["optional-dependencies"]["embedded"]
    }
    assert embedded
    assert embedded & pinned("requirements-image.txt") == set()


def test_nothing_speaks_of_the_machine_that_it_was_written_on() -> None:
    looked_at = dict(texts())
    assert {"README.md", "Makefile", ".ci/run", "config/topics.yml"} <= looked_at.keys()
    assert [name for name, text in looked_at.items() if OF_ONE_MACHINE.search(text)] == []
