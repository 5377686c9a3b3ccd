"""Imports of libraries without what they would bring along in case somebody uses it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let what is imported in here believe that a library is not installed.

    Only for a library that is optional to the one imported; everybody else finds it as ever. Source: the
    Python reference, 5.3.1: None in `sys.modules` makes an import raise ModuleNotFoundError.

    Args:
        name: The library that is left out; one that is loaded already is not.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the reference says
    try:
        yield
    finally:
        del sys.modules[name]
