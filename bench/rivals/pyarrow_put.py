"""The rival `pyarrow-put`: a Flight server in C++ (pyarrow) that writes each DoPut to a zstd Parquet file and fsyncs it before it answers.
usage: pyarrow_put.py FOLDER   Prints {"ready":true,"flight":PORT} and serves until its standard input ends.

It takes Headrace's put requests, of which it needs the table's name; the file of a put takes the place of the one before, so that a
long run does not fill the disk."""
import json
import os
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.parquet as pq
from durable import fsync

ROW_GROUP_ROWS = 131_072


class Server(fl.FlightServerBase):
    def __init__(self, folder: Path) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self.folder = folder

    def get_flight_info(self, context, descriptor):
        """Names no place to go to: there is but this server."""
        return fl.FlightInfo(pa.schema([]), descriptor, [fl.FlightEndpoint(b"", [])], -1, -1)

    def do_put(self, context, descriptor, reader, writer):
        name = json.loads(descriptor.command)["table"]
        part, file = self.folder / f"{name}.part", self.folder / f"{name}.parquet"
        rows = waiting_rows = 0
        waiting: list[pa.RecordBatch] = []
        with pq.ParquetWriter(part, reader.schema, compression="zstd") as parquet:
            for chunk in reader:
                waiting.append(chunk.data)
                waiting_rows += chunk.data.num_rows
                if waiting_rows >= ROW_GROUP_ROWS:
                    parquet.write_table(pa.Table.from_batches(waiting))
                    rows, waiting_rows, waiting = rows + waiting_rows, 0, []
            if waiting:
                parquet.write_table(pa.Table.from_batches(waiting))
        fsync(part)
        part.rename(file)
        fsync(self.folder)
        writer.write(json.dumps({"rows": rows + waiting_rows}).encode())


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    server = Server(Path(sys.argv[1]))
    print(json.dumps({"ready": True, "flight": server.port}), flush=True)
    server.serve()
