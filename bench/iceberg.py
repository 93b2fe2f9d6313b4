"""Makes Iceberg metadata over Parquet files as they are, without copying them, so that Headrace and its rivals scan the same bytes.
usage: iceberg.py FOLDER NAME FILE.parquet…   Prints JSON: metadata, rows, arrowBytes, columnBytes (in the file, by column)."""
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from column_bytes import column_bytes


def main(folder: str, name: str, *files: str) -> None:
    warehouse = Path(folder).resolve()
    catalog = SqlCatalog("bench", uri="sqlite:///:memory:", warehouse=f"file://{warehouse}")
    catalog.create_namespace("bench")
    parts = [pq.ParquetFile(file) for file in files]
    table = catalog.create_table(f"bench.{name}", schema=parts[0].schema_arrow, location=f"file://{warehouse}/{name}")
    table.add_files([f"file://{Path(file).resolve()}" for file in files])
    arrow_bytes = sum(batch.nbytes for part in parts for batch in part.iter_batches())
    rows = sum(part.metadata.num_rows for part in parts)
    counts = {"rows": rows, "arrowBytes": arrow_bytes, "columnBytes": column_bytes(list(files))}
    answer = {"metadata": table.metadata_location, **counts}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
