"""Tables that PyIceberg writes on its own, into a warehouse of its own."""

import datetime as dt
import json
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    DoubleType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "region", StringType(), required=False),
    NestedField(3, "at", TimestamptzType(), required=False),
    NestedField(
        4,
        "home",
        StructType(NestedField(5, "zip", IntegerType(), required=False), NestedField(6, "city", StringType())),
        required=False,
    ),
    NestedField(7, "tags", ListType(8, StringType(), element_required=False), required=False),
)
SPEC = PartitionSpec(
    PartitionField(2, 1000, IdentityTransform(), "region"), PartitionField(3, 1001, DayTransform(), "at_day")
)


def open_warehouse(folder: str) -> SqlCatalog:
    os.makedirs(folder)
    catalog = SqlCatalog("foreign", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("theirs")
    return catalog


def rows(first: int, count: int) -> pa.Table:
    columns = {
        "id": list(range(first, first + count)),
        "region": [[None, "eu", "us", "a/b c"][i % 4] for i in range(count)],
        "at": [None if i % 5 == 0 else dt.datetime(1969 + i % 3, 12, 31, 23, tzinfo=dt.UTC) for i in range(count)],
        "home": [None if i % 6 == 0 else {"zip": i, "city": f"c{i % 3}"} for i in range(count)],
        "tags": [None if i % 7 == 0 else ["x"] * (i % 3) for i in range(count)],
    }
    types = [
        pa.int64(),
        pa.string(),
        pa.timestamp("us", "UTC"),
        pa.struct([("zip", pa.int32()), ("city", pa.string())]),
        pa.list_(pa.string()),
    ]
    return pa.table({name: pa.array(values, kind) for (name, values), kind in zip(columns.items(), types, strict=True)})


def evolved_table(catalog: SqlCatalog, version: int) -> Table:
    """Several snapshots of several schemas and specs, with rows that were replaced and deleted, a tag and a branch."""
    table = catalog.create_table(
        f"theirs.evolved{version}", SCHEMA, partition_spec=SPEC, properties={"format-version": str(version)}
    )
    table.append(rows(0, 20))
    time.sleep(0.01)
    table.append(rows(20, 10))
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "release").commit()
    with table.update_schema() as update:
        update.rename_column("region", "area")
        update.rename_column(("home", "zip"), "post code")
        update.add_column(("home", "rooms"), DoubleType())
        update.add_column("score", IntegerType())
    with table.update_spec() as update:
        update.remove_field("at_day")
        update.add_field("id", BucketTransform(3), "id_bucket")
    time.sleep(0.01)
    more = rows(100, 5).rename_columns(["id", "area", "at", "home", "tags"]).drop_columns(["home"])
    table.append(more.append_column("score", pa.array([1, 2, None, 4, 5], pa.int32())))
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "trial").commit()
    table.delete("id >= 3 and id < 9")
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("tags")
        update.update_column("score", LongType())
        update.move_first("score")
    table.overwrite(table.scan(row_filter="id = 12").to_arrow(), overwrite_filter="id == 12")
    return catalog.load_table(table.name())


def unpartitioned_table(catalog: SqlCatalog, name: str) -> Table:
    table = catalog.create_table(f"theirs.{name}", SCHEMA)
    table.append(rows(0, 8))
    return table


def empty_table(catalog: SqlCatalog) -> Table:
    return catalog.create_table("theirs.empty", SCHEMA, partition_spec=SPEC)


def named_table(catalog: SqlCatalog, folder: str) -> Table:
    """Files without field ids, added by name, one of them from before a column existed."""
    table = catalog.create_table("theirs.named", SCHEMA)
    os.makedirs(f"{folder}/loose")
    paths = []
    for at, part in enumerate([rows(0, 10), rows(10, 10).drop_columns(["tags"]), rows(20, 10).select([3, 0, 1, 2, 4])]):
        paths.append(f"{folder}/loose/{at}.parquet")
        pq.write_table(part, paths[-1])
    table.add_files([f"file://{path}" for path in paths])
    with table.update_schema() as update:
        update.rename_column("id", "number")
        update.rename_column(("home", "city"), "town")
    return table


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def with_deletes(table: Table, content: DataFileContent) -> str:
    """A further snapshot of the table that has one delete file; the location of its metadata."""
    io, metadata = table.io, table.metadata
    location, snapshot_id, sequence = metadata.location, 4242, metadata.last_sequence_number + 1
    file = DataFile.from_args(
        content=content,
        file_path=f"{location}/data/deletes.parquet",
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=1,
        file_size_in_bytes=100,
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={},
        upper_bounds={},
        equality_ids=[1] if content == DataFileContent.EQUALITY_DELETES else None,
    )
    output = io.new_output(f"{location}/metadata/deletes-m0.avro")
    with _DeleteManifest(table.spec(), table.schema(), output, snapshot_id, "deflate") as writer:
        writer.add_entry(
            ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file)
        )
    manifests = [*table.current_snapshot().manifests(io), writer.to_manifest_file()]
    listing = f"{location}/metadata/snap-{snapshot_id}.avro"
    parent = table.current_snapshot().snapshot_id
    with write_manifest_list(2, io.new_output(listing), snapshot_id, parent, sequence, "deflate") as lists:
        lists.add_manifests(manifests)
    document = _document(table)
    document["snapshots"].append(
        {
            "snapshot-id": snapshot_id,
            "parent-snapshot-id": parent,
            "sequence-number": sequence,
            "timestamp-ms": document["last-updated-ms"] + 1,
            "manifest-list": listing,
            "summary": {"operation": "delete"},
            "schema-id": document["current-schema-id"],
        }
    )
    document["current-snapshot-id"] = document["refs"]["main"]["snapshot-id"] = snapshot_id
    document["last-sequence-number"] = sequence
    return _write(table, document, "deletes")


def as_version_3(table: Table, default: object = None) -> str:
    """The metadata as a writer of version 3 would have it; with ``default``, of a column that no file has."""
    document = _document(table)
    document["format-version"] = 3
    document["next-row-id"] = 1000
    if default is not None:
        for schema in document["schemas"]:
            schema["fields"].append(
                {"id": 99, "name": "added", "required": False, "type": "int", "initial-default": default}
            )
        document["last-column-id"] = 99
    return _write(table, document, "v3" if default is None else "v3-default")


def _document(table: Table) -> dict:
    with open(table.metadata_location.removeprefix("file://")) as file:
        return json.load(file)


def _write(table: Table, document: dict, name: str) -> str:
    path = f"{table.metadata.location.removeprefix('file://')}/metadata/{name}.metadata.json"
    with open(path, "w") as file:
        json.dump(document, file)
    return path
