"""Forks, pickles and workers, the way data loaders of training frameworks use them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from conftest import samples

import headrace

Lake = tuple[str, pa.Table]

# A child that hangs is killed by its own alarm: the test then sees the signal.
_CHILD_SECONDS = 30


def in_child(work: Callable[[], object]) -> Any:
    """What ``work`` returns in a forked child; raises where it raises, hangs or dies there."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_CHILD_SECONDS)
        try:
            answer: object = work()
        except BaseException as error:
            answer = error
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
    answer = pickle.loads(data)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def total(batches: Iterator[pa.RecordBatch]) -> int:
    return sum(batch.num_rows for batch in batches)


def test_a_child_scans_after_its_parent_did(client: headrace.Client, lake: Lake) -> None:
    name, rows = lake
    for _ in range(3):
        assert client.scan(name, shards=2).table().num_rows == rows.num_rows
        assert in_child(lambda: client.scan(name, shards=3).table().num_rows) == rows.num_rows


def test_a_child_uses_the_plan_of_its_parent(client: headrace.Client, lake: Lake) -> None:
    scan = client.scan(lake[0], shards=4)
    plan = scan.metadata["plan"]
    assert in_child(lambda: (scan.metadata["plan"], total(iter(scan)))) == (plan, lake[1].num_rows)


def test_grandchildren_scan_too(client: headrace.Client, lake: Lake) -> None:
    count = lake[1].num_rows
    assert client.scan(lake[0]).table().num_rows == count
    assert in_child(
        lambda: (client.scan(lake[0]).table().num_rows, in_child(client.scan(lake[0]).table().__len__))
    ) == (
        count,
        count,
    )


def test_an_iteration_goes_on_over_a_fork(client: headrace.Client, lake: Lake) -> None:
    for shards in (1, 4):
        scan = client.scan(lake[0], shards=shards, ordered=True, batch_rows=500, buffer_bytes=100_000)
        whole = scan.table().combine_chunks()
        read: list[pa.RecordBatch] = []
        for batch in scan:
            read.append(batch)
            if len(read) in (2, 30):
                assert in_child(lambda: client.scan(lake[0], limit=10).table().num_rows) == 10
        assert pa.Table.from_batches(read).combine_chunks() == whole


def test_a_child_goes_on_with_a_single_stream_and_not_with_threads(client: headrace.Client, lake: Lake) -> None:
    alone = iter(client.scan(lake[0], batch_rows=500))
    first = next(alone).num_rows
    assert in_child(lambda: total(alone)) == lake[1].num_rows - first
    assert total(alone) == lake[1].num_rows - first
    parallel = iter(client.scan(lake[0], shards=4, batch_rows=500, buffer_bytes=1))
    first = next(parallel).num_rows
    with pytest.raises(RuntimeError, match="iterate the scan anew after a fork"):
        in_child(lambda: total(parallel))
    assert total(parallel) == lake[1].num_rows - first


def test_a_fork_during_a_put_says_so_in_the_child(
    client: headrace.Client, lake: Lake, new_table: Callable[[], str]
) -> None:
    rows = samples(2_000)

    def forking() -> Iterator[pa.RecordBatch]:
        for batch in rows.to_batches(max_chunksize=1_000):
            yield batch
            with pytest.raises(RuntimeError, match="forked while a put"):
                in_child(lambda: client.scan(lake[0]).table())

    assert client.put(new_table(), forking(), mode="create").rows == 2_000
    assert in_child(lambda: client.scan(lake[0], limit=5).table().num_rows) == 5


def test_threads_read_while_the_process_forks(client: headrace.Client, lake: Lake) -> None:
    counts: list[int] = []

    def read() -> None:
        counts.append(total(iter(client.scan(lake[0], shards=2, batch_rows=500))))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert in_child(lambda: client.scan(lake[0], limit=10).table().num_rows) == 10
    for thread in threads:
        thread.join()
    assert counts == [lake[1].num_rows] * 3


class Dataset:
    """An iterable data set as data loaders know it: the parent looks at it, workers read a part each."""

    def __init__(self, client: headrace.Client, table: str) -> None:
        self.scan = client.scan(table, shards=6, batch_rows=1_000)

    def __len__(self) -> int:
        return int(self.scan.plan().total_records)

    def read(self, worker: int, workers: int) -> list[int]:
        ids: list[int] = []
        for batch in self.scan.part(worker, workers):
            ids += batch["id"].to_pylist()
        return ids


def _work(dataset: Dataset, worker: int, workers: int, results: Any) -> None:
    results.put(dataset.read(worker, workers))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_read_every_row_once(client: headrace.Client, lake: Lake, method: str) -> None:
    dataset = Dataset(client, lake[0])
    assert len(dataset) == lake[1].num_rows
    assert next(iter(dataset.scan)).num_rows > 0
    context = multiprocessing.get_context(method)
    for _epoch in range(2 if method == "fork" else 1):
        results: Any = context.Queue()
        workers = [context.Process(target=_work, args=(dataset, at, 2, results)) for at in range(2)]
        for worker in workers:
            worker.start()
        ids = sorted(results.get(timeout=_CHILD_SECONDS) + results.get(timeout=_CHILD_SECONDS))
        for worker in workers:
            worker.join(_CHILD_SECONDS)
        assert [worker.exitcode for worker in workers] == [0, 0]
        assert ids == lake[1]["id"].to_pylist()


def test_clients_and_scans_are_pickled(client: headrace.Client, lake: Lake) -> None:
    copy = pickle.loads(pickle.dumps(client))
    assert copy.scan(lake[0], limit=7).table().num_rows == 7
    fresh = client.scan(lake[0], filter="kind = 'a'")
    expected = fresh.table().num_rows
    assert pickle.loads(pickle.dumps(client.scan(lake[0], filter="kind = 'a'"))).table().num_rows == expected
    planned = pickle.loads(pickle.dumps(fresh))
    assert planned.metadata == fresh.metadata
    assert planned.table().num_rows == expected
    part = pickle.loads(pickle.dumps(client.scan(lake[0], shards=2).part(1, 2)))
    assert 0 < part.table().num_rows < lake[1].num_rows


def test_a_closed_client_connects_again(client: headrace.Client, lake: Lake) -> None:
    copy = pickle.loads(pickle.dumps(client))
    with copy:
        assert copy.scan(lake[0], limit=1).table().num_rows == 1
    assert copy.scan(lake[0], limit=2).table().num_rows == 2
