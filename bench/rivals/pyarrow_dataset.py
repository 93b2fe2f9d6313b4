"""The rival `pyarrow-dataset`: a Flight server in C++ (pyarrow) that scans Parquet files with pyarrow.dataset's defaults.
usage: pyarrow_dataset.py NAME=FILE.parquet…   Prints {"ready":true,"flight":PORT} and serves until its standard input ends.

It takes the same JSON requests as Headrace: `table`, `columns`, and `filter` in Iceberg's expression JSON."""
import json
import operator
import os
import sys
import threading

import pyarrow.dataset as ds
import pyarrow.flight as fl

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


class DatasetServer(fl.FlightServerBase):
    def __init__(self, files: dict[str, str]) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self.tables = {name: ds.dataset(file, format="parquet") for name, file in files.items()}

    def scanner(self, request: dict) -> ds.Scanner:
        where = request.get("filter")
        return self.tables[request["table"]].scanner(
            columns=request.get("columns"), filter=None if where is None else expression(where)
        )

    def get_flight_info(self, context, descriptor):
        schema = self.scanner(json.loads(descriptor.command)).projected_schema
        return fl.FlightInfo(schema, descriptor, [fl.FlightEndpoint(descriptor.command, [])], -1, -1)

    def do_get(self, context, ticket):
        return fl.RecordBatchStream(self.scanner(json.loads(ticket.ticket)).to_reader())


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    server = DatasetServer(dict(pair.split("=", 1) for pair in sys.argv[1:]))
    print(json.dumps({"ready": True, "flight": server.port}), flush=True)
    server.serve()
