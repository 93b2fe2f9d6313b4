"""The rival `duckdb`: tables in DuckDB's memory, served masked and filtered by a Flight server in C++ (pyarrow).
usage: duckdb_server.py KEY_HEX NAME=FILE.parquet…   Prints {"ready":true,"flight":PORT} and serves until its standard input ends.

Every scan gives what the benchmark's policy shows: rows with user_id below 45000, `country` as Headrace's show-last-4 gives it, and
`email` as the hexadecimal HMAC-SHA-256 under the key (RFC 2104), so that the results can be compared. It takes `shards` as 1."""
import json
import os
import sys
import threading

import duckdb
import pyarrow as pa
import pyarrow.flight as fl

BATCH_ROWS = 131_072
BLOCK_BYTES = 64


def padded(key: bytes, byte: int) -> str:
    """The key's block of RFC 2104 as a BLOB literal."""
    block = key.ljust(BLOCK_BYTES, b"\0")
    return "'" + "".join(f"\\x{part ^ byte:02x}" for part in block) + "'::BLOB"


def query(name: str, key: bytes) -> str:
    inner, outer = padded(key, 0x36), padded(key, 0x5C)
    hashed = f"sha256({outer} || unhex(sha256({inner} || encode(email))))"
    # Texts of at most 4 characters are shown whole.
    covered = "regexp_replace(regexp_replace(left(country, -4), '[^0-9(),.@-]', 'x', 'g'), '[0-9]', 'n', 'g')"
    shown = f"CASE WHEN length(country) <= 4 THEN country ELSE {covered} || right(country, 4) END"
    return f"SELECT * REPLACE ({shown} AS country, {hashed} AS email) FROM \"{name}\" WHERE user_id < 45000"


class Server(fl.FlightServerBase):
    def __init__(self, key: bytes, files: dict[str, str]) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self.database = duckdb.connect()
        self.queries = {name: query(name, key) for name in files}
        for name, file in files.items():
            self.database.execute(f"CREATE TABLE \"{name}\" AS FROM read_parquet('{file}')")

    def reader(self, table: str) -> pa.RecordBatchReader:
        return self.database.cursor().execute(self.queries[table]).to_arrow_reader(BATCH_ROWS)

    def get_flight_info(self, context, descriptor):
        table = json.loads(descriptor.command)["table"]
        schema = self.database.cursor().execute(f"{self.queries[table]} LIMIT 0").to_arrow_table().schema
        return fl.FlightInfo(schema, descriptor, [fl.FlightEndpoint(descriptor.command, [])], -1, -1)

    def do_get(self, context, ticket):
        return fl.RecordBatchStream(self.reader(json.loads(ticket.ticket)["table"]))


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    key_hex, *tables = sys.argv[1:]
    server = Server(bytes.fromhex(key_hex), dict(pair.split("=", 1) for pair in tables))
    print(json.dumps({"ready": True, "flight": server.port}), flush=True)
    server.serve()
