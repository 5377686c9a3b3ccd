"""Finds the programs that come inside Python wheels, without importing what surrounds them there."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from config.errors import RelayError


def directory(package: str) -> Path:
    """Where an installed package's files are.

    Raises:
        RelayError: It isn't installed; the message says how it would be.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise RelayError(
            f"The package {package} is not installed: embedded services need "
            "`pip install 'session-relay[embedded]'`, or `make setup` in a clone."
        )
    return Path(spec.origin).parent


def version(program: Path) -> str:
    """What a program says of itself when asked for `--version`: its first dotted number."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    return found.group() if found else said.strip()
