"""What is compared takes turns, round after round, so that a machine's moods meet all of it alike."""

from collections.abc import Callable, Mapping

from benchmarks.figures import Series

Figures = Mapping[str, float]
"""What one run gave, by name."""
Steps = Mapping[str, Callable[[], Figures]]
"""What takes turns, by name."""


def take_turns(steps: Steps, rounds: int, say: Callable[[str], object]) -> dict[str, dict[str, Series]]:
    """Run every step once a round, every second round backwards.

    Args:
        steps: What takes turns; each gives the same figures every time.
        rounds: How often.
        say: Told a line after each step.

    Returns:
        By step and figure, the values of all rounds.
    """
    runs: dict[str, list[Figures]] = {name: [] for name in steps}
    for number in range(1, rounds + 1):
        order = list(steps) if number % 2 else list(steps)[::-1]
        for name in order:
            figures = steps[name]()
            runs[name].append(figures)
            say(f"round {number} of {rounds}: {name} {figures['rate']:,.0f} a second")
    return {name: _series(of_all) for name, of_all in runs.items()}


def _series(runs: list[Figures]) -> dict[str, Series]:
    return {name: Series.of([run[name] for run in runs]) for name in runs[0]}
