"""How a rebuild's partitions are dealt out to processes."""

import pytest

from config.errors import SettingsError
from session_relay.commands.replay_parts import Part, shares


@pytest.mark.parametrize(
    ("left", "count", "expected"),
    [
        ({0: 10, 1: 10, 2: 10}, 2, [[0, 2], [1]]),
        ({0: 100, 1: 30, 2: 30, 3: 30}, 2, [[0], [1, 2, 3]]),
        ({0: 5, 1: 0, 2: 0}, 4, [[0]]),
        ({0: 1, 1: 2}, 1, [[0, 1]]),
        ({0: 0, 1: 0}, 3, []),
        ({}, 2, []),
    ],
)
def test_each_process_has_about_as_much_to_do(
    left: dict[int, int], count: int, expected: list[list[int]]
) -> None:
    assert shares(left, count) == expected


def test_a_part_is_read_as_it_is_written() -> None:
    part = Part(7, [0, 3, 11])
    assert Part.told(str(part)) == part


@pytest.mark.parametrize("text", ["", "7", "7:", "7:a", "a:1", "7:1,", ":1"])
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(SettingsError):
        Part.told(text)
