"""Passengers who look real and are not: the same ones for every run."""

from __future__ import annotations

import datetime as dt
import random

import pyarrow as pa

_GIVEN = [
    "Ada",
    "Ben",
    "Chloé",
    "Dmitri",
    "Elif",
    "Femi",
    "Grace",
    "Hiro",
    "Inês",
    "Jonas",
    "Kira",
    "Luis",
    "Mei",
    "Noor",
    "Olga",
    "Raj",
]
_FAMILY = [
    "Almeida",
    "Bauer",
    "Chen",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lopez",
    "Okafor",
    "Singh",
]
_REGIONS = {"EU": "+49", "US": "+1", "IN": "+91", "BR": "+55", "JP": "+81"}


def passengers(rows: int) -> pa.Table:
    """``rows`` passengers; ``points`` is a 32-bit integer so that the demo can widen it."""
    rng = random.Random(7)
    regions = [rng.choice(list(_REGIONS)) for _ in range(rows)]
    names = [f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}" for _ in range(rows)]
    born = dt.date(1940, 1, 1)
    return pa.table(
        {
            "passenger_id": pa.array(range(rows), pa.int64()),
            "name": names,
            "phone": [
                f"{_REGIONS[region]} {rng.randrange(100, 999)} {rng.randrange(1_000_000, 9_999_999)}"
                for region in regions
            ],
            "email": [f"{name.replace(' ', '.').lower()}{at}@example.com" for at, name in enumerate(names)],
            "region": regions,
            "born": pa.array([born + dt.timedelta(days=rng.randrange(24_000)) for _ in range(rows)], pa.date32()),
            "tier": [rng.choice(["basic", "silver", "gold"]) for _ in range(rows)],
            "points": pa.array([rng.randrange(200_000) for _ in range(rows)], pa.int32()),
        }
    )
