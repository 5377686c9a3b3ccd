"""The parent of one state directory's services: it starts them, and none outlives it.

Run by `link.py` as `python -m config.embedded.keeper STATE_DIR BROKERS JARS [sustained]`. Standard input is
its owner's life line and carries requests, standard output the replies, one JSON object a line each.
"""

import faulthandler
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.embedded.owner import SUSTAINED, Ended, Owner, Request
from config.embedded.processes import PortTaken
from config.embedded.stack import Stack
from config.embedded.state import take_lock
from config.errors import ExitCode, RelayError

_STARTS: Final = 3


def keep(state_dir: Path, brokers: int, jars: Path, owner: Owner, *, sustained: bool) -> None:
    """Run the services until the owner is gone or a signal comes; then end them all."""
    if take_lock(state_dir) is None:
        owner.tell("held")
        return
    try:
        stack = _started(lambda: Stack(state_dir, brokers, jars, owner, sustained=sustained), owner)
        try:
            owner.tell("ready")
            _serve(stack, owner)
        finally:
            stack.end()
    except Ended:
        owner.tell("error", "The embedded services were stopped.", int(ExitCode.UNREACHABLE))
    except RelayError as error:
        owner.tell("error", str(error), int(error.exit_code))
    except OSError as error:  # a full disk, rights: the system's own words say it best
        owner.tell("error", f"The embedded services could not start: {error}")
        raise


def _started(made: Callable[[], Stack], owner: Owner, starts: int = _STARTS) -> Stack:
    """All of them, on other ports where one was taken after it had been found free: Kafka needs seconds."""
    stack = made()
    try:
        stack.start()
    except BaseException as error:
        stack.end()
        if not isinstance(error, PortTaken) or starts == 1:
            raise
        owner.say(f"{error.name}'s port was taken during the start: all begin anew")
        return _started(made, owner, starts - 1)
    return stack


def _serve(stack: Stack, owner: Owner) -> None:
    while True:
        request = owner.wait(None)
        stack.bury()
        if request is None:
            continue
        try:
            _answer(request, stack, owner)
        except RelayError as error:
            owner.tell("error", str(error), int(error.exit_code))
        else:
            owner.tell("done")


def _answer(request: Request, stack: Stack, owner: Owner) -> None:
    match request.do:
        case "detach":
            owner.detach()
        case "start":
            stack.restart(request.service)
        case "stop":
            stack.stop(request.service, now=request.kill)
        case unknown:
            raise RelayError(f"The keeper does not know how to {unknown}.")


if __name__ == "__main__":
    faulthandler.enable()  # a fault below Python says in the log where it was
    os.umask(0o022)  # Postgres may run as another user, who must come in
    directory, count, jars_directory, *more = sys.argv[1:]
    keep(Path(directory), int(count), Path(jars_directory), Owner(), sustained=more == [SUSTAINED])
