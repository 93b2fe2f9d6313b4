"""The rivals `pyarrow-dataset` and `pyarrow-memory`: Flight servers in C++ (pyarrow) that scan Parquet files with pyarrow.dataset's
defaults, or hold their tables in memory.
usage: pyarrow_server.py [--memory] [--tls CERT.pem KEY.pem] NAME=FILE.parquet…
Prints {"ready":true,"flight":PORT} and serves until its standard input ends.

It takes the same JSON requests as Headrace: `table`, `columns`, `filter` in Iceberg's expression JSON, `shards`, `compression`."""
import argparse
import json
import operator
import os
import sys
import threading

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.flight as fl
import pyarrow.parquet as pq

COMPARISONS = {
    "lt": operator.lt,
    "lt-eq": operator.le,
    "gt": operator.gt,
    "gt-eq": operator.ge,
    "eq": operator.eq,
    "not-eq": operator.ne,
}


def expression(node: dict) -> ds.Expression:
    kind = node["type"]
    if kind == "and":
        return expression(node["left"]) & expression(node["right"])
    if kind == "or":
        return expression(node["left"]) | expression(node["right"])
    return COMPARISONS[kind](ds.field(node["term"]), node["value"])


def share(count: int, request: dict) -> range:
    """The part of `count` row groups or batches that a ticket reads."""
    shards, shard = request.get("shards", 1), request.get("shard", 0)
    return range(count * shard // shards, count * (shard + 1) // shards)


class ScannedTable:
    def __init__(self, files: list[str]) -> None:
        self.dataset = ds.dataset(files, format="parquet")

    def scanner(self, request: dict) -> ds.Scanner:
        where = request.get("filter")
        dataset = self.dataset
        if request.get("shards", 1) > 1:
            groups = [(part, group.id) for part in dataset.get_fragments() for group in part.row_groups]
            wanted: dict[str, tuple[ds.ParquetFileFragment, list[int]]] = {}
            for at in share(len(groups), request):
                part, group = groups[at]
                wanted.setdefault(part.path, (part, []))[1].append(group)
            parts = [part.subset(row_group_ids=ids) for part, ids in wanted.values()]
            dataset = ds.FileSystemDataset(parts, dataset.schema, dataset.format, dataset.filesystem)
        return dataset.scanner(columns=request.get("columns"), filter=None if where is None else expression(where))

    def schema(self, request: dict) -> pa.Schema:
        return self.dataset.scanner(columns=request.get("columns")).projected_schema

    def read(self, request: dict) -> pa.RecordBatchReader:
        return self.scanner(request).to_reader()


class TableInMemory:
    def __init__(self, files: list[str]) -> None:
        self.table = pa.concat_tables([pq.read_table(file) for file in files])
        self.batches = self.table.to_batches()

    def schema(self, request: dict) -> pa.Schema:
        columns = request.get("columns")
        return self.table.schema if columns is None else self.table.select(columns).schema

    def read(self, request: dict) -> pa.Table:
        if "filter" in request:
            raise fl.FlightServerError("the server from memory takes no filters")
        table = pa.Table.from_batches([self.batches[at] for at in share(len(self.batches), request)], self.table.schema)
        return table if request.get("columns") is None else table.select(request["columns"])


class Server(fl.FlightServerBase):
    def __init__(self, tables: dict[str, ScannedTable | TableInMemory], tls: list[str] | None) -> None:
        if tls is None:
            super().__init__("grpc://127.0.0.1:0")
        else:
            identity = tuple(open(file, "rb").read() for file in tls)
            super().__init__("grpc+tls://127.0.0.1:0", tls_certificates=[identity])
        self.tables = tables

    def get_flight_info(self, context, descriptor):
        request = json.loads(descriptor.command)
        tickets = [json.dumps({**request, "shard": shard}).encode() for shard in range(request.get("shards", 1))]
        schema = self.tables[request["table"]].schema(request)
        return fl.FlightInfo(schema, descriptor, [fl.FlightEndpoint(ticket, []) for ticket in tickets], -1, -1)

    def do_get(self, context, ticket):
        request = json.loads(ticket.ticket)
        options = pa.ipc.IpcWriteOptions(compression=request.get("compression"))
        return fl.RecordBatchStream(self.tables[request["table"]].read(request), options=options)


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--tls", nargs=2)
    arguments.add_argument("tables", nargs="+", help="NAME=FILE.parquet; a name that is given twice has several files")
    given = arguments.parse_args()
    files: dict[str, list[str]] = {}
    for name, file in (pair.split("=", 1) for pair in given.tables):
        files.setdefault(name, []).append(file)
    kind = TableInMemory if given.memory else ScannedTable
    threading.Thread(target=end_with_input, daemon=True).start()
    server = Server({name: kind(names) for name, names in files.items()}, given.tls)
    print(json.dumps({"ready": True, "flight": server.port}), flush=True)
    server.serve()
