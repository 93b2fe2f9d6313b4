"""Reading: the three forms of a scan, what it is pinned to, and streams in parallel."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import samples
from headrace_server import Server

import headrace
from headrace.parallel import ParallelStreams
from headrace.plan import Plan
from headrace.stream import EndpointStream

Lake = tuple[str, pa.Table]


def bare(table: pa.Table) -> pa.Table:
    """Without field ids and dictionaries, in the order of ``id``."""
    kinds = {field.name: field.type for field in table.schema}
    plain = pa.schema(
        [(name, kind.value_type if pa.types.is_dictionary(kind) else kind) for name, kind in kinds.items()]
    )
    return table.cast(plain).sort_by("id").combine_chunks()


def test_iterator_reader_and_table_give_the_same_rows(client: headrace.Client, lake: Lake) -> None:
    scan = client.scan(lake[0])
    assert bare(scan.table()) == lake[1]
    assert bare(scan.reader().read_all()) == lake[1]
    assert bare(pa.Table.from_batches(iter(scan), scan.schema)) == lake[1]
    assert all(isinstance(batch, pa.RecordBatch) for batch in scan)


def test_a_scan_is_pinned_by_its_first_use(client: headrace.Client, new_table: Callable[[], str]) -> None:
    table = new_table()
    client.put(table, samples(10), mode="create")
    pinned, fresh = client.scan(table), client.scan(table)
    assert pinned.plan().total_records == 10
    client.put(table, samples(5))
    assert pinned.table().num_rows == 10
    assert fresh.table().num_rows == 15


def test_snapshot_ref_and_timestamp_say_what_is_read(
    server: Server, client: headrace.Client, new_table: Callable[[], str]
) -> None:
    table = new_table()
    first = client.put(table, samples(10), mode="create")
    server.cli("ref", table, "create", "v1")
    time.sleep(0.01)
    between = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    second = client.put(table, samples(5))
    for version in ({"snapshot_id": first.snapshot_id}, {"snapshot_id": int(first.snapshot_id)}, {"ref": "v1"}):
        scan = client.scan(table, **version)
        assert (scan.snapshot_id, scan.table().num_rows) == (first.snapshot_id, 10)
    assert client.scan(table, timestamp=between).snapshot_id == first.snapshot_id
    assert client.scan(table, timestamp=between.isoformat()).table().num_rows == 10
    assert client.scan(table).snapshot_id == second.snapshot_id
    with pytest.raises(headrace.InvalidRequestError):
        client.scan(table, snapshot_id=first.snapshot_id, ref="v1").plan()
    assert [snapshot["snapshot_id"] for snapshot in client.snapshots(table)] == [first.snapshot_id, second.snapshot_id]


@pytest.mark.parametrize("shards", [2, 5, 40])
def test_ordered_streams_give_the_order_of_one_stream(client: headrace.Client, lake: Lake, shards: int) -> None:
    alone = client.scan(lake[0]).table().combine_chunks()
    assert client.scan(lake[0], shards=shards, ordered=True).table().combine_chunks() == alone


def test_unordered_streams_give_every_row_once(client: headrace.Client, lake: Lake) -> None:
    scan = client.scan(lake[0], shards=8, batch_rows=700)
    assert len(scan.plan().endpoints) == 8
    assert bare(scan.table()) == lake[1]


def test_parts_have_every_row_once_among_them(client: headrace.Client, lake: Lake) -> None:
    scan = client.scan(lake[0], shards=8, ordered=True)
    parts = [scan.part(index, 3).table() for index in range(3)]
    assert all(part.num_rows > 0 for part in parts)
    assert bare(pa.concat_tables(parts)) == lake[1]
    assert sum(client.scan(lake[0]).part(index, 2).table().num_rows for index in range(2)) == lake[1].num_rows
    with pytest.raises(ValueError, match="part 3 of 3"):
        scan.part(3, 3)


def test_columns_filter_limit_and_encodings(client: headrace.Client, lake: Lake) -> None:
    name, rows = lake
    expected = rows.filter((pc.field("kind") == "b") & (pc.field("score") > 0.5))
    text = "kind = 'b' AND score > 0.5"
    as_json = {
        "type": "and",
        "left": {"type": "eq", "term": "kind", "value": "b"},
        "right": {"type": "gt", "term": "score", "value": 0.5},
    }
    for asked in (text, as_json):
        assert bare(client.scan(name, filter=asked, shards=3).table()) == expected
    assert client.scan(name, columns=["score", "id"]).schema.names == ["score", "id"]
    assert client.scan(name, limit=1234, shards=4).table().num_rows == 1234
    assert max(batch.num_rows for batch in client.scan(name, batch_rows=100, limit=5000)) <= 100
    for compression in ("none", "lz4", "zstd"):
        assert bare(client.scan(name, compression=compression).table()) == rows
    encoded = client.scan(name, dictionaries=True, shards=2)
    assert pa.types.is_dictionary(encoded.schema.field("kind").type)
    assert bare(encoded.table()) == rows


def test_an_empty_result_has_columns_and_no_rows(client: headrace.Client, lake: Lake) -> None:
    scan = client.scan(lake[0], filter="id < 0", shards=3)
    assert list(scan) == []
    assert scan.table().schema == scan.schema
    assert scan.reader().read_all().num_rows == 0


def test_a_plan_tells_what_was_pruned(client: headrace.Client, lake: Lake) -> None:
    metadata = client.scan(lake[0], filter="kind = 'a'").metadata
    assert (metadata["files"], metadata["files_pruned"]) == (1, 3)


def test_a_slow_consumer_bounds_what_is_read_ahead(client: headrace.Client, lake: Lake) -> None:
    def read_ahead(buffer_bytes: int, *, until_done: bool) -> tuple[int, int, int]:
        plan = Plan(client._connection, {"table": lake[0], "shards": 4, "batch_rows": 500})
        streams = [EndpointStream(plan, at) for at in range(4)]
        with ParallelStreams(streams, ordered=True, buffer_bytes=buffer_bytes) as parallel:
            batches = iter(parallel)
            first = next(batches)
            last = -1
            while last != (last := sum(parallel._held)) or (until_done and not all(parallel._done)):
                time.sleep(0.1)
            rest = sum(batch.num_rows for batch in batches)
            return last, first.nbytes, first.num_rows + rest

    bounded, batch_bytes, rows = read_ahead(100_000, until_done=False)
    assert rows == lake[1].num_rows
    assert bounded <= 100_000 + 4 * batch_bytes
    # The bound is what held them back: with more room, all of the rows are read ahead.
    assert read_ahead(1 << 30, until_done=True)[0] > 5 * bounded


def test_a_broken_off_iteration_leaves_no_thread(client: headrace.Client, lake: Lake) -> None:
    for batch in client.scan(lake[0], shards=4, batch_rows=100, buffer_bytes=1):
        assert batch.num_rows > 0
        break
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("headrace-scan")] == []


def test_threads_share_a_client_and_a_scan(client: headrace.Client, lake: Lake) -> None:
    scan = client.scan(lake[0], shards=2)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(scan.table().num_rows)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [lake[1].num_rows] * 4


def test_what_policy_hides_stays_hidden(server: Server, lake: Lake) -> None:
    reader = server.client("rita", "readers")
    seen = reader.scan(lake[0], shards=3)
    assert set(seen.table()["kind"].to_pylist()) == {"a", "b"}
    assert seen.plan().total_records == -1
    assert "files" not in seen.metadata
    assert lake[0] in reader.tables()
    assert reader.schema(lake[0]).names == ["id", "kind", "score", "name"]
    assert server.client("eve", "nobody").tables() == []
