"""Splits a Parquet file's rows evenly over files of one row group each.
usage: split.py TABLE.parquet FOLDER FILES   Prints "made"."""
import sys
from pathlib import Path

import pyarrow.parquet as pq

if __name__ == "__main__":
    source, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    table = pq.read_table(source)
    for part in range(count):
        start, end = (table.num_rows * at // count for at in (part, part + 1))
        rows = table.slice(start, end - start).combine_chunks()
        pq.write_table(rows, folder / f"{part:04}.parquet", compression="zstd", row_group_size=max(1, rows.num_rows))
    print("made")
