"""Headrace's main job, end to end: real Parquet in, a governed, pinned, pruned Arrow stream out.

Run it with `make demo`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from passengers import passengers
from pyiceberg.table import StaticTable
from service import ROOT, Service
from show import check, grid, note, progress, rows, step

import headrace

FLIGHTS = ROOT / "node_modules" / "vega-datasets" / "data" / "flights-3m.parquet"
DATA_DIR = Path(os.environ.get("DEMO_DIR", ROOT / ".data" / "demo"))
ROWS = int(os.environ.get("DEMO_ROWS", "3000000"))
MARCH = (
    "date >= TIMESTAMP '2001-03-01T00:00:00' AND date < TIMESTAMP '2001-04-01T00:00:00' AND origin IN ('SEA', 'SFO')"
)


def main() -> None:
    shutil.rmtree(DATA_DIR, ignore_errors=True)
    DATA_DIR.parent.mkdir(parents=True, exist_ok=True)
    step("Start the server: SQLite catalog, local warehouse, local token issuer")
    with Service(DATA_DIR, ROOT / "examples" / "policies") as service:
        ports = service.ports
        note(f"Flight on port {ports['flight']}, HTTP on port {ports['http']}, everything below {DATA_DIR}")
        admin = service.connect("admin", "admin")
        analyst = service.connect("ana", "analysts")
        trainer = service.connect("raj", "training")
        stranger = service.connect("eve")

        first, second = land_flights(service, admin)
        land_passengers(service, admin)
        stream_flights(analyst, trainer, stranger, first, second)
        show_pruning(admin, first)
        show_policies(analyst, trainer, admin)
        before = fingerprint(trainer.scan("bronze.flights", snapshot_id=first, shards=4, ordered=True))
        change_flights(admin)
        evolve(service, admin)
        after = fingerprint(trainer.scan("bronze.flights", snapshot_id=first, shards=4, ordered=True))
        check(before == after, f"the first snapshot still reads the same after all of it: sha256 {after[:16]}…")
        read_with_pyiceberg(service, admin)
        tables = service.run("tables")
        snapshots = len(admin.snapshots("bronze.flights"))
    summarize(tables, snapshots)


def land_flights(service: Service, admin: headrace.Client) -> tuple[str, str]:
    """Lands the real flights, then appends more; the ids of the first and the last snapshot."""
    flights = pq.read_table(FLIGHTS).slice(0, ROWS)
    step(f"Land {flights.num_rows:,} flights through DoPut as bronze.flights, partitioned by month(date)")
    service.run("create-namespace", "bronze")
    started = time.monotonic()
    batches = progress(flights.to_batches(max_chunksize=50_000), flights.num_rows)
    first = admin.put("bronze.flights", batches, schema=flights.schema, mode="create", partition_by=["month(date)"])
    seconds = time.monotonic() - started
    note(f"snapshot {first.snapshot_id}: {first.files} files, {flights.nbytes / 1e6 / seconds:,.0f} MB/s")

    step("Append more, so that there are several snapshots")
    later = flights.slice(0, max(1, ROWS // 30))
    for months in (6, 7):
        dates = pc.add(later["date"], pa.scalar(months * 30 * 86_400_000_000, pa.duration("us")))
        second = admin.put("bronze.flights", later.set_column(0, "date", dates))
        note(f"snapshot {second.snapshot_id}: {second.rows:,} rows more")
    return first.snapshot_id, second.snapshot_id


def land_passengers(service: Service, admin: headrace.Client) -> None:
    step("Add passengers, and tag what is personal")
    admin.put("bronze.passengers", passengers(20_000), mode="create")
    for column in ("name", "phone", "email"):
        service.run("tag", f"bronze.passengers.{column}", "pii")
    note("name, phone and email are tagged pii; examples/policies/airline.cedar says what that means:")
    note("analysts see EU passengers with the last four characters; training jobs see everybody, and nothing personal")


def stream_flights(
    analyst: headrace.Client, trainer: headrace.Client, stranger: headrace.Client, first: str, second: str
) -> None:
    step("Stream flights as two principals at two pinned snapshots, and as somebody unauthorized")
    lines = [["principal", "snapshot", "rows", "MB/s"]]
    counts = set()
    for name, client in (("ana (analysts)", analyst), ("raj (training)", trainer)):
        for snapshot in (first, second):
            started, size, count = time.monotonic(), 0, 0
            for batch in client.scan("bronze.flights", snapshot_id=snapshot, shards=4):
                size += batch.nbytes
                count += batch.num_rows
            counts.add((snapshot, count))
            lines.append([name, snapshot, f"{count:,}", f"{size / 1e6 / (time.monotonic() - started):,.0f}"])
    grid(lines)
    check(len(counts) == 2, "both see the same rows of the same snapshot")
    try:
        stranger.scan("bronze.flights").table()
    except headrace.NotFoundError as error:
        check(True, f"eve, who is in no team: {error}")
    else:
        check(False, "eve, who is in no team, sees nothing")


def show_pruning(admin: headrace.Client, first: str) -> None:
    step("Read one month of two airports: what pruning skips")
    scan = admin.scan("bronze.flights", columns=["date", "delay", "origin"], filter=MARCH, snapshot_id=first)
    plan = scan.metadata
    note(f"WHERE {MARCH}")
    note(
        f"files: {plan['files']} read, {plan['files_pruned']} skipped; "
        f"row groups: {plan['row_groups']} read, {plan['row_groups_pruned']} skipped"
    )
    started = time.monotonic()
    found = scan.table()
    note(f"{found.num_rows:,} rows in {1000 * (time.monotonic() - started):.0f} ms")
    table = admin.scan("bronze.flights", columns=["date", "origin"], snapshot_id=first).table()
    in_march = pc.and_(pc.equal(pc.year(table["date"]), 2001), pc.equal(pc.month(table["date"]), 3))
    expected = pc.sum(pc.and_(in_march, pc.is_in(table["origin"], pa.array(["SEA", "SFO"])))).as_py() or 0
    check(found.num_rows == expected, "pyarrow counts as many in the whole table")


def show_policies(analyst: headrace.Client, trainer: headrace.Client, admin: headrace.Client) -> None:
    step("Read passengers: the same request, three answers")
    for name, client in (("admin", admin), ("ana (analysts)", analyst), ("raj (training)", trainer)):
        scan = client.scan("bronze.passengers")
        table = scan.table()
        note(f"{name}: {table.num_rows:,} rows, {len(scan.schema.names)} columns")
        rows(table.slice(0, 3))
    seen = analyst.scan("bronze.passengers").table()
    check(pc.all(pc.equal(seen["region"], "EU")).as_py(), "ana sees the EU alone")
    hits = analyst.scan("bronze.passengers", filter="phone LIKE '+49%'").table().num_rows
    check(hits == 0, "ana's filter on a masked column finds masked values alone: nothing begins with +49")
    try:
        trainer.scan("bronze.passengers", columns=["phone"]).table()
    except headrace.InvalidRequestError as error:
        check(error.code == "UNKNOWN_COLUMN", f"raj asks for phone: {error}")
    explained = analyst.explain({"table": "bronze.passengers"})
    note(f"the policies that decided ana's view: {', '.join(explained['policies'])}")


def change_flights(admin: headrace.Client) -> None:
    step("Change the table: overwrite one day")
    day = "date >= TIMESTAMP '2001-01-02T00:00:00' AND date < TIMESTAMP '2001-01-03T00:00:00'"
    fixed = admin.scan("bronze.flights", filter=day).table()
    fixed = fixed.set_column(1, "delay", pc.add(fixed["delay"], 1))
    result = admin.put("bronze.flights", fixed, mode="overwrite", overwrite_filter=day)
    note(f"snapshot {result.snapshot_id}: {result.rows:,} rows replaced")


def evolve(service: Service, admin: headrace.Client) -> None:
    step("Evolve the schema: rename, add, widen")
    service.run("alter", "bronze.flights", "rename", "delay", "delay_minutes")
    service.run("alter", "bronze.flights", "add", "carrier", "string")
    service.run("alter", "bronze.passengers", "widen", "points", "long")
    oldest = admin.snapshots("bronze.flights")[0]["snapshot_id"]
    now, then = admin.schema("bronze.flights"), admin.scan("bronze.flights", snapshot_id=oldest).schema
    grid([["flights", "columns"], ["now", ", ".join(now.names)], ["the first snapshot", ", ".join(then.names)]])
    points = admin.scan("bronze.passengers", columns=["points"], limit=3).table()
    check(points.schema.field("points").type == pa.int64(), "points is a long now, files of 32-bit integers included")
    late = admin.scan("bronze.flights", columns=["delay_minutes", "carrier"], limit=5).table()
    check(
        late["carrier"].null_count == late.num_rows > 0, "rows that were written before the new column read it as null"
    )


def read_with_pyiceberg(service: Service, admin: headrace.Client) -> None:
    step("Read the same table with PyIceberg: it is plain Iceberg")
    location = next(table["metadata_location"] for table in service.run("tables") if table["table"] == "bronze.flights")
    table = StaticTable.from_metadata(location)
    parts = ", ".join(
        f"{field.transform}({table.schema().find_column_name(field.source_id)})" for field in table.spec().fields
    )
    total = admin.scan("bronze.flights").plan().total_records
    note(f"StaticTable.from_metadata(…/{location.rsplit('/', 1)[1]})")
    note(f"{len(table.snapshots())} snapshots, partitioned by {parts}")
    check(table.scan().count() == total, f"both count {total:,} rows")
    theirs = table.scan(row_filter="delay_minutes > 600", selected_fields=("delay_minutes",)).to_arrow()
    ours = admin.scan("bronze.flights", columns=["delay_minutes"], filter="delay_minutes > 600").table()
    same = sorted(theirs["delay_minutes"].to_pylist()) == sorted(ours["delay_minutes"].to_pylist())
    check(same, f"both find the same {ours.num_rows:,} flights that were more than ten hours late")


def fingerprint(scan: headrace.Scan) -> str:
    """A hash of every value of a scan, in order."""
    digest = hashlib.sha256()
    for column in scan.table().combine_chunks().columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                digest.update(buffer or b"")
    return digest.hexdigest()


def summarize(tables: list[dict[str, object]], snapshots: int) -> None:
    step("Done")
    grid(
        [
            ["table", "rows", "now at snapshot"],
            *([str(table["table"]), f"{table['rows']:,}", str(table["snapshot_id"])] for table in tables),
        ]
    )
    note(f"bronze.flights has {snapshots} snapshots, and each of them still reads as it was")
    print()
    note("Go on: `bin/headrace serve --data-dir .data/demo --policies examples/policies` serves these tables again;")
    note("`make serve` starts a server on .data; `bin/headrace --help` shows the rest;")
    note("docs/guides has how to read, write, govern and operate; examples/policies the policies of this demo.")


if __name__ == "__main__":
    main()
