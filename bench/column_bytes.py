"""The compressed bytes of each column over some Parquet files.
usage: column_bytes.py FILE.parquet…   Prints JSON: {"COLUMN": bytes, …}, columns of one leaf only."""
import json
import sys
from collections import Counter

import pyarrow.parquet as pq


def column_bytes(files: list[str]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for file in files:
        metadata = pq.ParquetFile(file).metadata
        for group in (metadata.row_group(at) for at in range(metadata.num_row_groups)):
            for chunk in (group.column(at) for at in range(group.num_columns)):
                total[chunk.path_in_schema] += chunk.total_compressed_size
    return dict(total)


if __name__ == "__main__":
    print(json.dumps(column_bytes(sys.argv[1:])))
