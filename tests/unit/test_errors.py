"""Exit codes are a promise to scripts; what parks a record is never one of them."""

import pytest

from config.errors import ExitCode, Poison, RelayError, SettingsError, StoppedForSafety, Unavailable


def test_exit_codes_mean_the_same_everywhere() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "STOPPED_FOR_SAFETY": 3,
        "UNREACHABLE": 4,
    }


@pytest.mark.parametrize(
    ("kind", "code"), [(RelayError, 1), (SettingsError, 2), (StoppedForSafety, 3), (Unavailable, 4)]
)
def test_each_error_ends_a_command_with_its_code(kind: type[RelayError], code: int) -> None:
    assert kind("told to a person").exit_code == code


def test_poison_is_about_one_record_and_never_ends_a_process() -> None:
    poison = Poison("invalid", "user_id: too long")
    assert not isinstance(poison, RelayError)
    assert (poison.reason, poison.detail, str(poison)) == (
        "invalid",
        "user_id: too long",
        "invalid: user_id: too long",
    )
