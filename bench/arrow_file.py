"""Writes a Parquet file's rows as an Arrow file, in batches as a client would send them.
usage: arrow_file.py TABLE.parquet OUT.arrow   Prints "made"."""
import sys

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 65_536

if __name__ == "__main__":
    source, out = sys.argv[1:]
    table = pq.read_table(source).combine_chunks()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)
    print("made")
