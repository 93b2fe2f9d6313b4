"""Tickets that expire and policies that change between a plan and its streams."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from conftest import POLICIES, samples
from headrace_server import Server

import headrace

TTL_SECONDS = 2
CHANGE_SECONDS = 20


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose tickets live for two seconds."""
    home = tmp_path_factory.mktemp("hasty")
    with Server(home, POLICIES, env={"HEADRACE_TICKETS_TTL": f"{TTL_SECONDS}s"}) as running:
        running.cli("create-namespace", "lake")
        running.client().put("lake.t", samples(20_000), mode="create", partition_by=["kind"])
        yield running


def expire() -> None:
    time.sleep(TTL_SECONDS + 1.1)


def test_a_scan_is_read_long_after_it_was_planned(hasty: Server) -> None:
    scan = hasty.client().scan("lake.t", shards=3)
    plan, snapshot_id = scan.metadata["plan"], scan.snapshot_id
    hasty.client().put("lake.t", samples(10))
    expire()
    assert scan.table().num_rows == 20_000
    assert scan.snapshot_id == snapshot_id
    assert scan.metadata["plan"] != plan
    hasty.client().put("lake.t", samples(20_000), mode="overwrite")


def test_a_ticket_is_renewed_before_it_expires(hasty: Server) -> None:
    scan = hasty.client().scan("lake.t", limit=10)
    # A ticket has whole seconds to live: at the beginning of one it has most.
    time.sleep(1.02 - time.time() % 1)
    plan = scan.metadata["plan"]
    expiry = scan.plan().endpoints[0].expiration_time.as_py()
    time.sleep((expiry - dt.datetime.now(dt.UTC)).total_seconds() * 0.85)
    before = scan._plan._tickets[0].endpoint.ticket
    assert scan.table().num_rows == 10
    assert scan.metadata["plan"] == plan
    assert scan._plan._tickets[0].endpoint.ticket != before


def test_a_stream_goes_on_after_its_ticket_expired(hasty: Server) -> None:
    scan = hasty.client().scan("lake.t", batch_rows=1_000, filter="score < 1")
    whole = scan.table().combine_chunks()
    read: list[pa.RecordBatch] = []
    stream = iter(scan)
    for batch in stream:
        read.append(batch)
        if len(read) == 3:
            # As after a break: the stream must be opened again, with a ticket and a cursor that have expired.
            expire()
            for parked in list(headrace.forking.gate._parkables):
                parked.interrupt()
    assert pa.Table.from_batches(read).combine_chunks() == whole


def test_a_scan_whose_schema_went_on_says_so(hasty: Server) -> None:
    client = hasty.client()
    client.put("lake.moving", samples(10), mode="create")
    hasty.cli("alter", "lake.moving", "rename", "score", "points")
    scan = client.scan("lake.moving", columns=["points"])
    scan.plan()
    client.put("lake.moving", samples(5).rename_columns(["id", "kind", "points", "name"]))
    expire()
    with pytest.raises(headrace.HeadraceError, match="TICKET_EXPIRED|UNKNOWN_COLUMN"):
        scan.table()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CHANGE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "the change was not seen in time"
        time.sleep(0.05)


def test_a_policy_that_changes_before_the_first_batch_is_planned_again(hasty: Server) -> None:
    reader = hasty.client("rita", "readers")
    scan, rest = reader.scan("lake.t", shards=2), reader.scan("lake.t", batch_rows=100)
    assert set(scan.table()["kind"].to_pylist()) == {"a", "b"}
    started = iter(rest)
    assert next(started).num_rows > 0
    narrower = POLICIES["lake.cedar"].replace("kind IN ('a', 'b')", "kind = 'b'")
    (hasty.policies_dir / "lake.cedar").write_text(narrower, encoding="utf-8")
    digest = scan.metadata["policy_digest"]
    wait_until(lambda: reader.scan("lake.t").metadata["policy_digest"] != digest)
    assert set(scan.table()["kind"].to_pylist()) == {"b"}
    # One stream never mixes two decisions.
    for parked in list(headrace.forking.gate._parkables):
        parked.interrupt()
    with pytest.raises((headrace.RevokedError, headrace.TicketExpiredError)):
        list(started)
    (hasty.policies_dir / "lake.cedar").write_text("", encoding="utf-8")
    wait_until(lambda: reader.tables() == [])
    with pytest.raises((headrace.RevokedError, headrace.NotFoundError)):
        scan.table()
