"""Concurrent writers through the client, what they were told, and whether the table agrees with it."""

import random
import threading
import uuid
from collections import Counter
from typing import Any

import pyarrow as pa

import headrace

ROWS = 5


def rows_of(writer: int, write: int) -> pa.Table:
    """Rows that tell who wrote them."""
    return pa.table(
        {
            "writer": pa.array([writer] * ROWS, pa.int32()),
            "write": pa.array([write] * ROWS, pa.int32()),
            "row": pa.array(range(ROWS), pa.int32()),
        }
    )


def connected(uri: str, token: str) -> headrace.Client:
    return headrace.connect(uri, token=token)


def _write(
    client: headrace.Client, table: str, writer: int, write: int, rng: random.Random, overwrites: bool
) -> dict[str, Any]:
    """One write with its own key; a write of an odd number replaces what this writer wrote before it."""
    record: dict[str, Any] = {
        "writer": writer,
        "write": write,
        "key": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    }
    replaces = overwrites and write % 2 == 1
    options: dict[str, Any] = {"idempotency_key": record["key"]}
    if replaces:
        options |= {"mode": "overwrite", "overwrite_filter": f"writer = {writer} AND write = {write - 1}"}
    record["replaces"] = [writer, write - 1] if replaces else None
    try:
        result = client.put(table, rows_of(writer, write), **options)
        record["snapshot_id"] = result.snapshot_id
        if rng.random() < 0.3:
            record["replayed"] = client.put(table, rows_of(writer, write), **options).snapshot_id
    except headrace.HeadraceError as error:
        record["error"] = error.code
    return record


def write_all(
    uri: str, token: str, table: str, writers: int, writes: int, seed: int, overwrites: bool = True
) -> list[dict[str, Any]]:
    """Every writer has a thread and a connection of its own; what each was told, in its own order."""
    records: list[list[dict[str, Any]]] = [[] for _ in range(writers)]

    def work(writer: int) -> None:
        rng, client = random.Random(f"{seed}/{writer}"), connected(uri, token)
        for write in range(writes):
            records[writer].append(_write(client, table, writer, write, rng, overwrites))

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [record for one in records for record in one]


def write_until_killed(uri: str, token: str, table: str, writers: int, first: int, seed: int) -> list[dict[str, Any]]:
    """Appends until the server is gone. The last record of a writer has an error where its outcome is unknown."""
    records: list[list[dict[str, Any]]] = [[] for _ in range(writers)]
    gone = threading.Event()

    def work(writer: int) -> None:
        rng, client = random.Random(f"{seed}/{writer}"), connected(uri, token)
        for write in range(first, first + 1000):
            record = _write_once(client, table, writer, write, rng)
            records[writer].append(record)
            if "error" in record:
                gone.set()
            if gone.is_set():
                return

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [record for one in records for record in one]


def _write_once(client: headrace.Client, table: str, writer: int, write: int, rng: random.Random) -> dict[str, Any]:
    """Without the client's own retries: whoever asks decides what an unknown outcome was."""
    record: dict[str, Any] = {"writer": writer, "write": write, "replaces": None}
    record["key"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    try:
        data = iter(rows_of(writer, write).to_batches())
        record["snapshot_id"] = client.put(table, data, idempotency_key=record["key"]).snapshot_id
    except headrace.HeadraceError as error:
        record["error"] = error.code
    return record


def retry(uri: str, token: str, table: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with the outcome of every write that had none, by its key."""
    client = connected(uri, token)
    settled = []
    for record in records:
        if "error" in record:
            result = client.put(table, rows_of(record["writer"], record["write"]), idempotency_key=record["key"])
            record = {name: value for name, value in record.items() if name != "error"} | {
                "snapshot_id": result.snapshot_id
            }
        settled.append(record)
    return settled


def check(client: headrace.Client, table: str, records: list[dict[str, Any]], base: list[str]) -> list[str]:
    """What is wrong with the table; ``base`` are the snapshots from before the records."""
    history = [one for one in client.snapshots(table) if one["snapshot_id"] not in base]
    return problems_of(
        records, [one["snapshot_id"] for one in history], history, client.scan(table).table().to_pylist()
    )


def problems_of(
    records: list[dict[str, Any]], ids: list[str], history: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> list[str]:
    """Every acknowledged write is one snapshot and its rows are there once; nothing else is."""
    problems = []
    acknowledged = [record["snapshot_id"] for record in records if "snapshot_id" in record]
    for name, count in Counter(acknowledged).items():
        if count > 1:
            problems.append(f"snapshot {name} was given to {count} writes")
    for name in set(acknowledged) - set(ids):
        problems.append(f"snapshot {name} was acknowledged and is not in the history")
    for name in set(ids) - set(acknowledged):
        problems.append(f"snapshot {name} is in the history and nobody was told")
    if len(ids) != len(set(ids)):
        problems.append("a snapshot is in the history twice")
    for before, after in zip(history, history[1:], strict=False):
        if after["parent_snapshot_id"] != before["snapshot_id"]:
            problems.append(f"snapshot {after['snapshot_id']} does not follow {before['snapshot_id']}")
    replaced = {tuple(record["replaces"]) for record in records if "snapshot_id" in record and record["replaces"]}
    expected = Counter()
    for record in records:
        if "snapshot_id" in record and (record["writer"], record["write"]) not in replaced:
            expected.update((record["writer"], record["write"], row) for row in range(ROWS))
        if record.get("replayed", record.get("snapshot_id")) != record.get("snapshot_id"):
            problems.append(f"the key {record['key']} gave {record['snapshot_id']} and then {record['replayed']}")
    found = Counter((row["writer"], row["write"], row["row"]) for row in rows)
    for one in found - expected:
        problems.append(f"row {one} is there {found[one]} times instead of {expected[one]}")
    for one in expected - found:
        problems.append(f"row {one} is missing")
    return sorted(problems)
