"""Errors named by their fate, and the exit codes that every command shares."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means, everywhere."""

    DONE = 0
    FAILED = 1
    """Failed, or found what it was asked to look for."""
    USAGE = 2
    """Wrong usage or wrong settings."""
    STOPPED_FOR_SAFETY = 3
    """A person must look before it goes on."""
    UNREACHABLE = 4
    """A service could not be reached."""


class RelayError(Exception):
    """An error with a message for people and an exit code; commands print it without a traceback."""

    exit_code = ExitCode.FAILED


class SettingsError(RelayError):
    """Settings that can't be used; the message lists every problem, never a secret's value."""

    exit_code = ExitCode.USAGE


class Unavailable(RelayError):
    """A service is away for now: the stage pauses and tries again, nothing is given up."""

    exit_code = ExitCode.UNREACHABLE


class RegistryUnavailable(Unavailable):
    """A schema registry does not answer, or not as a registry does; nothing is decided by that."""


class StoppedForSafety(RelayError):
    """Going on could do harm that can't be undone; a person must look."""

    exit_code = ExitCode.STOPPED_FOR_SAFETY


class Poison(Exception):
    """One record that can never be stored: it is parked, its neighbours go on.

    Args:
        reason: One word from a closed set, used as the dead letter's `dlq-reason`.
        detail: What was wrong, without any of the record's values.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
