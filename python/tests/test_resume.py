"""Broken streams: every row once, whatever happens to the connection."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as fl
import pytest
from conftest import Cut
from cutting_proxy import CuttingProxy

import headrace

FILTER = "score > 0.1 OR kind = 'a'"


@pytest.fixture
def broken(cut: Cut) -> Iterator[Cut]:
    """The server behind proxies, whose connections last again after the test."""
    yield cut
    cut.control.cut([])
    cut.data.cut([])


def cuts(seed: int, count: int) -> list[int]:
    """Byte counts at which connections break: some before a first batch, most within a later one."""
    pick = random.Random(seed)
    return [pick.choice((300, 40_000, 60_000, 150_000)) + pick.randrange(20_000) for _ in range(count)]


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("team", ["admin", "readers"])
def test_a_stream_that_is_cut_again_and_again_has_every_row_once(broken: Cut, team: str, shards: int) -> None:
    client = broken.client(team)
    scan = client.scan(broken.table, filter=FILTER, shards=shards, ordered=True, batch_rows=500)
    whole = scan.table().combine_chunks()
    allowed = pc.field("kind").isin(["a", "b"]) if team == "readers" else pc.scalar(True)
    expected = broken.rows.filter(allowed & ((pc.field("score") > 0.1) | (pc.field("kind") == "a")))
    assert whole.num_rows == expected.num_rows
    assert ("xxxx" in whole["name"][0].as_py()) == (team == "readers")
    broken.data.cut(cuts(seed=shards, count=10))
    broken.control.cut(cuts(seed=shards + 10, count=10))
    assert scan.table().combine_chunks() == whole
    assert broken.data.cuts_made + broken.control.cuts_made >= 4


def test_unordered_streams_that_are_cut_have_every_row_once(broken: Cut) -> None:
    scan = broken.client("admin").scan(broken.table, shards=6, batch_rows=300)
    scan.plan()
    broken.data.cut(cuts(seed=5, count=10))
    broken.control.cut(cuts(seed=6, count=10))
    assert scan.table().sort_by("id")["id"].to_pylist() == broken.rows["id"].to_pylist()
    assert broken.data.cuts_made + broken.control.cuts_made >= 4


def test_a_stream_without_its_cursor_resumes_by_rows(broken: Cut) -> None:
    """What happens when the ticket had to be issued anew: cursors go with tickets, offsets with plans."""
    scan = broken.client("admin").scan(broken.table, filter=FILTER, batch_rows=500)
    whole = scan.table().combine_chunks()
    rows: list[pa.RecordBatch] = []
    for number, batch in enumerate(scan):
        rows.append(batch)
        if number % 7 == 3:
            assert scan._plan.reissue(scan._plan._generation)
            broken.data.cut_all()
    assert pa.Table.from_batches(rows).combine_chunks() == whole


def test_a_stream_goes_another_way_where_its_first_location_is_gone(broken: Cut) -> None:
    scan = broken.client("admin").scan(broken.table)
    scan.plan()
    target, broken.data.target = broken.data.target, ("127.0.0.1", 1)
    broken.data.cut_all()
    try:
        assert scan.table().num_rows == broken.rows.num_rows
    finally:
        broken.data.target = target


def test_a_stream_is_given_up_after_a_while(broken: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.stream._PATIENCE_SECONDS", 0.5)
    scan = broken.client("admin").scan(broken.table, batch_rows=100)
    received = 0
    proxies: Sequence[CuttingProxy] = (broken.control, broken.data)
    targets = [proxy.target for proxy in proxies]
    try:
        with pytest.raises(headrace.UnavailableError):
            for batch in scan:
                received += batch.num_rows
                for proxy in proxies:
                    proxy.target = ("127.0.0.1", 1)
                    proxy.cut_all()
    finally:
        for proxy, target in zip(proxies, targets, strict=True):
            proxy.target = target
    assert 0 < received < broken.rows.num_rows


def test_a_put_whose_answer_is_lost_commits_once(broken: Cut) -> None:
    client, direct = broken.client("admin"), broken.server.client()
    rows = broken.rows.slice(0, 5_000)
    client.put("lake.once", rows.slice(0, 1), mode="create")
    # The answer is the first thing of some size that the server sends: connections break before, within and after it.
    for limit in (1, 60, 250, 400, 600):
        before = len(direct.snapshots("lake.once"))
        broken.control.cut([limit])
        assert client.put("lake.once", rows).rows == 5_000
        assert len(direct.snapshots("lake.once")) == before + 1


@pytest.mark.parametrize("team", ["admin", "readers"])
def test_resuming_at_every_batch_gives_the_remaining_rows(cut: Cut, team: str) -> None:
    """Flight alone, as clients in other languages resume."""
    token = cut.server.token("cut", team)
    flight = fl.FlightClient(cut.server.uri)

    def options(**headers: str) -> fl.FlightCallOptions:
        pairs = {"authorization": f"Bearer {token}", **headers}
        return fl.FlightCallOptions(headers=[(name.encode(), value.encode()) for name, value in pairs.items()])

    request = {"table": cut.table, "filter": FILTER, "batch_rows": 2_000}
    info = flight.get_flight_info(fl.FlightDescriptor.for_command(json.dumps(request)), options())
    ticket = info.endpoints[0].ticket
    chunks = list(flight.do_get(ticket, options()))
    assert len(chunks) > 10
    whole = pa.Table.from_batches([chunk.data for chunk in chunks]).combine_chunks()
    done = 0
    for number, chunk in enumerate(chunks):
        done += chunk.data.num_rows
        mark = json.loads(chunk.app_metadata.to_pybytes())
        assert mark["next"] == done
        header = {"headrace-cursor": mark["cursor"]} if number % 2 else {"headrace-offset": str(done)}
        assert (
            flight.do_get(ticket, options(**header)).read_all().combine_chunks() == whole.slice(done).combine_chunks()
        )
    for at in (1, 1_234, whole.num_rows - 1):
        rest = flight.do_get(ticket, options(**{"headrace-offset": str(at)})).read_all().combine_chunks()
        assert rest == whole.slice(at).combine_chunks()
    flight.close()


def test_a_reader_that_pauses_past_a_cut_goes_on(broken: Cut) -> None:
    reader = broken.client("admin").scan(broken.table, batch_rows=1_000).reader()
    count = reader.read_next_batch().num_rows
    broken.data.cut_all()
    time.sleep(0.3)
    assert count + sum(batch.num_rows for batch in reader) == broken.rows.num_rows
