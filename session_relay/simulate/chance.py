"""One word for drawing yes or no."""

from random import Random


def chance(rng: Random, share: float) -> bool:
    """True for about this share of the draws, 0 to 1."""
    return rng.random() < share
