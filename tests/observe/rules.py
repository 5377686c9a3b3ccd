"""The rules with short times: windows, waits and ages are less, and nothing else is different.

What a rule counts, such as 10,000 records or 14.4 times the budget, stays as it is.
"""

import re
from typing import Any, Final

import yaml

SHORT: Final = dict(
    zip(
        ("1m", "2m", "5m", "10m", "15m", "30m", "1h", "2h", "6h", "1d", "3d"),
        ("2s", "3s", "8s", "8s", "20s", "25s", "30s", "35s", "45s", "50s", "60s"),
        strict=True,
    )
)
"""Each duration that the rules use, and what stands for it; longer ones stay longer ones."""
LATE_S: Final = {"60": "5"}
"""The objective for events, and the bucket that stands for it."""
AGES_ARE: Final = 30
"""So many times less is an age in seconds that a rule compares with."""
_WINDOW: Final = re.compile(r"(?<=\[)\d+[a-z]+(?=\])|(?<=offset )\d+[a-z]+")
_AGE: Final = re.compile(r"(_seconds\{[^}]*\}\)? > )(\d+)")
_BUCKET: Final = re.compile(r'(stage="committed",le=~")(\d+)')


def shortened(text: str) -> str:
    """A file of rules with short times.

    Raises:
        KeyError: A duration that `SHORT` does not have.
    """
    told: dict[str, Any] = yaml.safe_load(text)
    for group in told["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = SHORT[rule["for"]]
            rule["expr"] = expression(rule["expr"])
    return yaml.safe_dump(told, sort_keys=False)


def expression(text: str) -> str:
    """One expression with short times."""
    text = _WINDOW.sub(lambda found: SHORT[found[0]], text)
    text = _AGE.sub(lambda found: f"{found[1]}{int(found[2]) // AGES_ARE}", text)
    return _BUCKET.sub(lambda found: found[1] + LATE_S[found[2]], text)
