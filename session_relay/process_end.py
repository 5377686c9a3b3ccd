"""How a process of ours ends: with its exit code, and without taking the interpreter apart.

A thread below Python may outlive a command: librdkafka's, where Kafka did not answer in time and a group was
left in silence. The answer that comes while Python is taken apart, or after, while C's own exit handlers
run, finds no interpreter to return to, and a process that had done all its work dies by SIGSEGV. CPython's
documentation of `Py_FinalizeEx` and of daemon threads warns of the like.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from config.errors import ExitCode


@contextmanager
def ended_at_once() -> Iterator[None]:
    """End this process when the block has ended, with the status that it ended with.

    Threads that are no daemons are waited for, and whoever has registered with `atexit` in the block is
    served, before. What standard output does not take is a failure.
    """
    status = [int(ExitCode.FAILED)]  # of an exception, whose traceback Python prints meanwhile
    atexit.register(_end, status)
    try:
        yield
        status[0] = ExitCode.DONE
    except SystemExit as asked:
        status[0] = _status_of(asked)
        raise
    except KeyboardInterrupt:
        atexit.unregister(_end)  # Python ends itself by the signal, for whoever waits to see
        raise


def _status_of(asked: SystemExit) -> int:
    if asked.code is None:
        return ExitCode.DONE
    return asked.code if isinstance(asked.code, int) else ExitCode.FAILED


def _end(status: list[int]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            status[0] = status[0] or ExitCode.FAILED
    os._exit(status[0])
