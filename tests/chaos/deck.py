"""Which faults a round meets: dealt from shuffled decks, so that each kind comes as often as any other."""

import random
from collections.abc import Sequence

HAND = 3
"""Faults of a round."""


def deal(seed: int, rounds: int, names: Sequence[str]) -> list[list[str]]:
    """The hands of all rounds of a seed; a round's hand does not depend on how many come after it."""
    chance = random.Random(f"deck:{seed}")
    cards: list[str] = []
    while len(cards) < rounds * HAND:
        cards += chance.sample(sorted(names), len(names))
    return [cards[first : first + HAND] for first in range(0, rounds * HAND, HAND)]
