"""Makes Iceberg metadata over a Parquet file as it is, without copying it, so that Headrace and its rivals scan the same bytes.
usage: iceberg.py FOLDER NAME FILE.parquet   Prints JSON: metadata, rows, arrowBytes, columnBytes (in the file, by column)."""
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from column_bytes import column_bytes


def main(folder: str, name: str, file: str) -> None:
    warehouse = Path(folder).resolve()
    catalog = SqlCatalog("bench", uri="sqlite:///:memory:", warehouse=f"file://{warehouse}")
    catalog.create_namespace("bench")
    data = pq.ParquetFile(file)
    table = catalog.create_table(f"bench.{name}", schema=data.schema_arrow, location=f"file://{warehouse}/{name}")
    table.add_files([f"file://{Path(file).resolve()}"])
    arrow_bytes = sum(batch.nbytes for batch in data.iter_batches())
    counts = {"rows": data.metadata.num_rows, "arrowBytes": arrow_bytes, "columnBytes": column_bytes([file])}
    answer = {"metadata": table.metadata_location, **counts}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
