"""The rival of `plan`: PyIceberg's plan_files over a table's metadata.
usage: plan.py   Prints {"ready": true}; then each line of standard input is a job's JSON: `warm` and `metadata` (locations of
metadata.json), `filter` (`{call}` in it is another number in each call), `calls`. It plans `warm` once, and `metadata` too if `again`, prints {"ready": true}, waits for a
line, plans `calls` times and prints {"rows" (files of one plan), "bytes": 0, "wall_s", "client_cpu_s": 0, "scan_ms": […]}."""
import json
import sys
import time

from pyiceberg.table import StaticTable


CALLS = iter(range(1_000, 10**9))


def plan(table: StaticTable, where: str | None) -> int:
    scan = table.scan() if where is None else table.scan(row_filter=where.replace("{call}", str(next(CALLS))))
    return sum(1 for _ in scan.plan_files())


if __name__ == "__main__":
    print(json.dumps({"ready": True}), flush=True)
    while line := sys.stdin.readline():
        job = json.loads(line)
        plan(StaticTable.from_metadata(job["warm"]), None)
        table = StaticTable.from_metadata(job["metadata"])
        if job["again"]:
            plan(table, job["filter"])
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
        plan_ms, files, start = [], 0, time.perf_counter()
        for _ in range(job["calls"]):
            began = time.perf_counter()
            files = plan(table, job["filter"])
            plan_ms.append((time.perf_counter() - began) * 1e3)
        wall_s = time.perf_counter() - start
        print(json.dumps({"rows": files, "bytes": 0, "wall_s": wall_s, "client_cpu_s": 0, "scan_ms": plan_ms}), flush=True)
