"""Tables for the tests, the same at every call."""

import pyarrow as pa
import pyarrow.compute as pc

REGIONS = ["EU", "US", "ASIA", "EU"]


def people(rows=400, first=0):
    """Persons with something to hide. What nobody but an admin may see says CANARY; rows outside EU say HIDDEN."""
    ids = list(range(first, first + rows))
    region = [REGIONS[at % 4] for at in ids]
    hidden = ["HIDDENROW" if place != "EU" else "shown" for place in region]
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "name": [f"{mark} person {at}" for at, mark in zip(ids, hidden, strict=True)],
            "ssn": [f"SSNCANARY-{at:06d}-{at % 9000 + 1000}" for at in ids],
            "salary": pa.array([1_000_003 + 17 * ((at * 7919) % 65536) for at in ids], pa.int64()),
            "diagnosis": [f"DIAGNOSISCANARY {at}" for at in ids],
            "region": region,
            "home": pa.array(
                [{"street": f"STREETCANARY {at}", "zip": f"{at:04d}ZIPCANARY", "city": f"city {at % 5}"} for at in ids],
                pa.struct([("street", pa.string()), ("zip", pa.string()), ("city", pa.string())]),
            ),
            "contacts": pa.array(
                [[{"kind": "home", "phone": f"PHONECANARY {at}"}] * (at % 3) for at in ids],
                pa.list_(pa.struct([("kind", pa.string()), ("phone", pa.string())])),
            ),
            "notes": pa.array([[("note", f"NOTECANARY {at}")] for at in ids], pa.map_(pa.string(), pa.string())),
        }
    )


def secrets(rows=64, value=700_001):
    """One row's `amount` is the secret that an attacker bisects for; the others are far below."""
    ids = list(range(rows))
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "amount": pa.array([value if at == 7 else at for at in ids], pa.int64()),
            "place": [f"place {at % 8}" for at in ids],
            "filler": [f"{at:04d}" * 500 for at in ids],
        }
    )


def twins(hidden=1, visible=1_000, text=10):
    """`visible` rows, always the same, and between them rows of `text` characters that are to be hidden."""
    ids, owner, words = [], [], []
    for at in range(visible):
        ids.append(at)
        owner.append("me")
        words.append(f"word {at % 50}" if at % 7 else None)
        for turn in range((at * 31) % (2 * hidden + 1)):
            ids.append(-at)
            owner.append("other")
            words.append(f"{turn}{at}" + "x" * text)
    return pa.table({"id": pa.array(ids, pa.int64()), "owner": owner, "word": words})


def numbers(rows=200_000, first=0, text=40):
    """An id, a group of ten, and a text of `text` characters that differs from row to row."""
    ids = pa.array(range(first, first + rows), pa.int64())
    words = pa.array([f"{(at * 2654435761) % 4294967296:010d}" for at in range(first, first + rows)], pa.string())
    groups = pa.array([at % 10 for at in range(first, first + rows)], pa.int32())
    return pa.table({"id": ids, "grp": groups, "text": pc.binary_repeat(words, text // 10)})


def make(name, **arguments):
    return globals()[name](**arguments)
