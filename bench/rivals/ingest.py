"""The rivals of `ingest`: pyiceberg (append to a table), duckdb (COPY TO a Parquet file), polars (write_parquet).
usage: ingest.py ENGINE DATA.arrow FOLDER   Prints {"ready": true}; then each line of standard input is a job {"times": N}: it prints
{"ready": true}, waits for a line, does the work and prints {"rows", "bytes", "wall_s", "client_cpu_s", "scan_ms": […]}.

Every write is zstd Parquet, and done when files and folders are fsynced."""
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from durable import fsync


def fsync_new(folder: Path, known: set[Path]) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() or path not in known:
            fsync(path)
            known.add(path)


def pyiceberg_append(data: pa.Table, folder: Path) -> Callable[[], None]:
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("bench")
    table = catalog.create_table("bench.ingested", schema=data.schema, properties={"write.parquet.compression-codec": "zstd"})
    known: set[Path] = set()

    def write() -> None:
        table.append(data)
        fsync_new(folder / "bench", known)

    return write


def duckdb_copy(data: pa.Table, folder: Path) -> Callable[[], None]:
    import duckdb

    database = duckdb.connect()
    database.register("data", data)
    count = iter(range(10**9))

    def write() -> None:
        file = folder / f"{next(count)}.parquet"
        database.execute(f"COPY (FROM data) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        fsync(file)
        fsync(folder)

    return write


def polars_write(data: pa.Table, folder: Path) -> Callable[[], None]:
    import polars

    frame = polars.from_arrow(data)
    count = iter(range(10**9))

    def write() -> None:
        file = folder / f"{next(count)}.parquet"
        frame.write_parquet(file, compression="zstd")
        fsync(file)
        fsync(folder)

    return write


ENGINES = {"pyiceberg": pyiceberg_append, "duckdb": duckdb_copy, "polars": polars_write}

if __name__ == "__main__":
    engine, source, folder = sys.argv[1:]
    with pa.memory_map(source) as mapped:
        data = pa.ipc.open_file(mapped).read_all()
    write = ENGINES[engine](data, Path(folder).resolve())
    write()
    print(json.dumps({"ready": True}), flush=True)
    while line := sys.stdin.readline():
        times, write_ms = json.loads(line)["times"], []
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        for _ in range(times):
            began = time.perf_counter()
            write()
            write_ms.append((time.perf_counter() - began) * 1e3)
        wall_s = time.perf_counter() - start
        counts = {"rows": data.num_rows * times, "bytes": data.nbytes * times}
        print(json.dumps({**counts, "wall_s": wall_s, "client_cpu_s": 0, "scan_ms": write_ms}), flush=True)
