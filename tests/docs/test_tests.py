"""How tests are made here: on real parts, waiting for conditions and never for a time."""

import ast

from tests.docs.source_tree import sources

WAITS = {
    "tests/eventually.py",  # the one polling function
    "tests/proxy.py",  # a slow wire is slow on purpose
}
MOCKS = ("unittest.mock", "mock", "pytest_mock", "asynctest")


def test_no_sleep_stands_for_synchronisation() -> None:
    """Poll with tests.eventually.eventually instead: it names what it waited for, and ends."""
    wrong = [
        f"{source.name}:{call.lineno}"
        for source in sources("tests")
        if source.name not in WAITS
        for call in ast.walk(source.tree)
        if isinstance(call, ast.Call) and _sleeps(call)
    ]
    assert wrong == []


def _sleeps(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    slept = call.args[0] if call.args else None
    yields = isinstance(slept, ast.Constant) and slept.value == 0
    return name.rpartition(".")[2] == "sleep" and not yields


def test_nothing_is_mocked() -> None:
    """A mock repeats the code and survives its bugs: use the real part, or the wire (tests/proxy.py)."""
    wrong = [
        f"{source.name}:{line} imports {name}"
        for source in sources("tests")
        for line, name in source.imports()
        if any(name == mock or name.startswith(f"{mock}.") for mock in MOCKS)
    ]
    assert wrong == []


def test_nothing_of_ours_is_patched() -> None:
    """Patching reaches past a promise; environment, arguments and files are the ways in."""
    ours = ("config", "schemas", "producers", "consumers", "session_relay", "benchmarks")
    wrong = []
    for source in sources("tests"):
        for call in ast.walk(source.tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("monkeypatch.setattr"):
                target = ast.unparse(call.args[0]).strip("'\"").partition(".")[0]
                imported = {name for _, name in source.imports() if name.rpartition(".")[2] == target}
                if target in ours or any(name.startswith(ours) for name in imported):
                    wrong.append(f"{source.name}:{call.lineno}")
    assert wrong == []
