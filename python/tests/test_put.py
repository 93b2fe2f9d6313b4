"""Writing: one put is one commit, or nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from conftest import samples
from headrace_server import Server
from test_scan import bare

import headrace

NewTable = Callable[[], str]


def forms() -> dict[str, Callable[[pa.Table], object]]:
    """The same rows as everything that a put takes."""
    return {
        "table": lambda rows: rows,
        "batch": lambda rows: rows.combine_chunks().to_batches()[0],
        "reader": lambda rows: rows.to_reader(max_chunksize=7),
        "generator": lambda rows: (batch for batch in rows.to_batches(max_chunksize=7)),
        "list": lambda rows: rows.to_batches(max_chunksize=7),
        "c stream": _Exported,
    }


class _Exported:
    """What other libraries' tables look like: the C stream interface and nothing else."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("form", list(forms()))
def test_every_form_of_rows_is_written(client: headrace.Client, new_table: NewTable, form: str) -> None:
    table, rows = new_table(), samples(50)
    result = client.put(table, forms()[form](rows), mode="create")  # type: ignore[arg-type]
    assert (result.rows, result.files) == (50, 1)
    scan = client.scan(table)
    assert scan.snapshot_id == result.snapshot_id
    assert bare(scan.table()) == rows


def test_empty_data_makes_an_empty_table(client: headrace.Client, new_table: NewTable) -> None:
    for data, schema in ((samples(0), None), (iter(()), samples(0).schema)):
        table = new_table()
        assert client.put(table, data, mode="create", schema=schema).rows == 0
        assert client.scan(table).table().num_rows == 0
        assert client.schema(table).names == samples(0).schema.names
    with pytest.raises(ValueError, match="pass schema="):
        client.put(new_table(), iter(()), mode="create")


def test_wide_rows_are_sent_in_messages_that_fit(client: headrace.Client, new_table: NewTable) -> None:
    table = new_table()
    sizes = [10, 3_000_000, 20, 9_000_000, 30, 40, 2_000_000, 2_000_000, 2_000_000, 50]
    rows = pa.table({"id": range(10), "blob": pa.array([os.urandom(size) for size in sizes], pa.binary())})
    client.put(table, rows.combine_chunks().to_batches()[0], mode="create")
    assert bare(client.scan(table).table()) == rows


def test_a_row_beyond_every_message_is_refused(client: headrace.Client, new_table: NewTable) -> None:
    rows = pa.table({"blob": pa.array([b"x" * (17 << 20)], pa.binary())})
    with pytest.raises(headrace.LimitExceededError):
        client.put(new_table(), rows, mode="create")


def test_many_columns_are_written(client: headrace.Client, new_table: NewTable) -> None:
    table = new_table()
    rows = pa.table({"id": range(20), **{f"c{at}": pa.array([float(at)] * 20) for at in range(600)}})
    client.put(table, rows, mode="create")
    assert bare(client.scan(table).table()) == rows


def test_append_and_overwrite(client: headrace.Client, new_table: NewTable) -> None:
    table, rows = new_table(), samples(40)
    client.put(table, rows.slice(0, 30), mode="create", partition_by=["kind"])
    client.put(table, rows.slice(30))
    assert bare(client.scan(table).table()) == rows
    only_a = rows.filter(pa.compute.equal(rows["kind"], "a")).slice(0, 2)
    client.put(table, only_a, mode="overwrite", overwrite_filter="kind = 'a'")
    kept = rows.filter(pa.compute.not_equal(rows["kind"], "a"))
    assert bare(client.scan(table).table()) == pa.concat_tables([kept, only_a]).sort_by("id").combine_chunks()
    client.put(table, rows.slice(0, 3), mode="overwrite")
    assert bare(client.scan(table).table()) == rows.slice(0, 3).combine_chunks()


def test_modes_refuse_what_does_not_fit_them(client: headrace.Client, new_table: NewTable) -> None:
    table, rows = new_table(), samples(3)
    for mode in ("append", "overwrite"):
        with pytest.raises(headrace.NotFoundError):
            client.put(table, rows, mode=mode)  # type: ignore[arg-type]
    client.put(table, rows, mode="create")
    with pytest.raises(headrace.AlreadyExistsError):
        client.put(table, rows, mode="create")
    with pytest.raises(headrace.NotFoundError):
        client.put("absent.table", rows, mode="create")
    with pytest.raises(headrace.UnsupportedFeatureError):
        client.put(new_table(), rows, mode="create", format_version=3)
    assert len(client.snapshots(table)) == 1


def test_an_idempotency_key_writes_once(client: headrace.Client, new_table: NewTable) -> None:
    table, rows, key = new_table(), samples(10), str(uuid.uuid4())
    client.put(table, rows.slice(0, 1), mode="create")
    first = client.put(table, rows, idempotency_key=key)
    assert client.put(table, rows, idempotency_key=key) == first
    assert client.scan(table).plan().total_records == 11
    with pytest.raises(headrace.AlreadyExistsError):
        client.put(table, rows.slice(0, 5), idempotency_key=key)
    assert len(client.snapshots(table)) == 2


def test_rows_that_do_not_fit_the_table_are_refused_whole(client: headrace.Client, new_table: NewTable) -> None:
    table, rows = new_table(), samples(1_000)
    client.put(table, rows, mode="create")
    wrong = {
        "a missing type": rows.set_column(0, "id", rows["kind"]),
        "an extra column": rows.append_column("more", rows["id"]),
    }
    for data in wrong.values():
        with pytest.raises(headrace.InvalidRequestError) as raised:
            client.put(table, data)
        assert raised.value.code == "SCHEMA_MISMATCH"
    assert len(client.snapshots(table)) == 1


def test_what_the_data_raises_leaves_nothing_behind(client: headrace.Client, new_table: NewTable) -> None:
    table, rows = new_table(), samples(5_000)
    client.put(table, rows.slice(0, 1), mode="create")

    def broken(after: int) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(rows.to_batches(max_chunksize=500)):
            if number == after:
                raise LookupError("the source is gone")
            yield batch

    for after in (0, 1, 5):
        with pytest.raises(LookupError, match="the source is gone"):
            client.put(table, broken(after), schema=rows.schema)
    with pytest.raises(KeyboardInterrupt):
        client.put(table, _interrupted(rows), schema=rows.schema)
    assert len(client.snapshots(table)) == 1
    # The same without a failure does commit.
    assert client.put(table, broken(100), schema=rows.schema).rows == 5_000


def _interrupted(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from rows.to_batches()
    raise KeyboardInterrupt


def test_who_may_not_write_is_refused(server: Server, client: headrace.Client, new_table: NewTable) -> None:
    table, rows = new_table(), samples(3)
    client.put(table, rows, mode="create")
    reader = server.client("rita", "readers")
    with pytest.raises(headrace.PermissionDeniedError):
        reader.put(table, rows)
    with pytest.raises(headrace.NotFoundError):
        server.client("eve", "nobody").put(table, rows)
