"""A clock that stands still until a test moves it; wall and monotonic time apart."""

from dataclasses import dataclass


@dataclass
class FrozenClock:
    """Both clocks of `config.clock.Clock`, moved by hand."""

    wall_us: int = 1_780_000_000_000_000
    elapsed_s: float = 1_000.0

    def now_us(self) -> int:
        return self.wall_us

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def pass_s(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.elapsed_s += seconds
        self.wall_us += int(seconds * 1_000_000)
