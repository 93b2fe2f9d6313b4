"""Three readers of one table at one snapshot, and rows in a form in which equal means equal."""

import datetime as dt
import uuid
from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa
from duckdb_extensions import import_extension


def open_duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in ("avro", "httpfs", "iceberg"):
        import_extension(name, con=connection)
        connection.execute(f"LOAD {name}")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    return connection


def duckdb_table(
    connection: duckdb.DuckDBPyConnection, location: str, snapshot_id: int | None, where: str | None = None
) -> pa.Table:
    at = "" if snapshot_id is None else f", snapshot_from_id => {snapshot_id}"
    condition = "" if where is None else f" WHERE {where}"
    path = location.removeprefix("file://")
    return connection.execute(f"SELECT * FROM iceberg_scan('{path}'{at}){condition}").to_arrow_table()


def canonical(value: Any) -> Any:
    """Hashable, and equal for equal values: NaN equals NaN, -0.0 does not equal 0.0, times are in UTC."""
    if isinstance(value, float):
        return "nan" if value != value else repr(value)
    if isinstance(value, dict):
        return tuple((name, canonical(child)) for name, child in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(canonical(child) for child in value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def row_of(row: dict[str, Any]) -> Any:
    return canonical(row)


def counted(rows: pa.Table | list[dict[str, Any]]) -> Counter:
    return Counter(row_of(row) for row in (rows.to_pylist() if isinstance(rows, pa.Table) else rows))


def without_null_lists(value: Any, kind: pa.DataType | pa.Schema) -> Any:
    """The value with every null map and list made an empty one."""
    if isinstance(kind, pa.Schema) or pa.types.is_struct(kind):
        fields = list(kind) if isinstance(kind, pa.Schema) else kind.fields
        return value and {field.name: without_null_lists(value[field.name], field.type) for field in fields}
    if pa.types.is_map(kind):
        return [(key, without_null_lists(item, kind.item_type)) for key, item in value or ()]
    if pa.types.is_list(kind):
        return [without_null_lists(item, kind.value_type) for item in value or ()]
    return value


def difference(ours: Counter, theirs: Counter) -> str | None:
    """What differs between two bags of rows, a few rows of each; None where nothing does."""
    if ours == theirs:
        return None
    extra, missing = ours - theirs, theirs - ours
    show = [f"{sum(extra.values())} rows too many, {sum(missing.values())} missing"]
    show += [f"  too many: {row}" for row in list(extra)[:3]]
    show += [f"  missing:  {row}" for row in list(missing)[:3]]
    return "\n".join(show)


def described(field: pa.Field) -> Any:
    """Name, type, nullability and field id at every depth; large variants are the same type to us."""
    kind = field.type
    children = (
        [described(kind.field(at)) for at in range(kind.num_fields)]
        if not isinstance(kind, pa.BaseExtensionType)
        else []
    )
    if pa.types.is_map(kind):
        children = [described(kind.key_field), described(kind.item_field)]
    name = kind.id if children else str(kind).removeprefix("large_")
    if pa.types.is_large_list(kind):
        name = pa.list_(pa.int8()).id
    field_id = (field.metadata or {}).get(b"PARQUET:field_id")
    return (field.name, name, field.nullable, field_id, children)


def described_schema(schema: pa.Schema) -> list[Any]:
    return [described(field) for field in schema]
